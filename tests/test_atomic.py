"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aecodec.atomic import replacing, write_text


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with replacing(path, sync=True) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([b"half", "and no bytes"])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.partial").write_bytes(b"left")
    write_text(tmp_path / "a.txt", "whole\n")
    assert (tmp_path / "a.txt").read_bytes() == b"whole\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]
