"""Results appear whole or not at all."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from aecodec.cli.files import OutputError, result, seekable
from aecodec.cli.names import Task


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(task: Task, then: Callable[[], object] = lambda: None) -> None:
    """Write "new", and do something before the file is closed."""
    with result(task) as file:
        file.write(b"new")
        then()


def test_a_result_is_renamed_into_place_when_it_is_complete() -> None:
    seen = []
    write(Task("in", "out.aec"), lambda: seen.extend(os.listdir()))
    assert seen == [".out.aec.partial"]
    assert os.listdir() == ["out.aec"]
    assert Path("out.aec").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_failure_leaves_the_old_result_and_nothing_else(error) -> None:
    def fail() -> None:
        raise error

    Path("out.aec").write_bytes(b"old")
    with pytest.raises(error):
        write(Task("in", "out.aec", overwrite=True), fail)
    assert os.listdir() == ["out.aec"]
    assert Path("out.aec").read_bytes() == b"old"


def test_what_a_killed_run_left_is_replaced() -> None:
    Path(".out.aec.partial").write_bytes(b"half")
    write(Task("in", "out.aec"))
    assert os.listdir() == ["out.aec"]


def test_a_result_that_appears_meanwhile_is_not_replaced() -> None:
    with pytest.raises(OutputError, match="meanwhile"):
        write(Task("in", "out.aec"), lambda: Path("out.aec").write_bytes(b"theirs"))
    assert Path("out.aec").read_bytes() == b"theirs"
    assert os.listdir() == ["out.aec"]


def test_a_link_is_followed_and_stays() -> None:
    Path("real").mkdir()
    Path("real/file").write_bytes(b"old")
    os.symlink("real/file", "link")
    write(Task("in", "link", overwrite=True))
    assert os.path.islink("link")
    assert Path("real/file").read_bytes() == b"new"


def test_folders_are_made_where_results_are_mirrored() -> None:
    write(Task("in", "new/deep/out.aec", make_folders=True))
    assert Path("new/deep/out.aec").read_bytes() == b"new"


def test_a_file_in_the_way_of_a_folder_is_named() -> None:
    Path("new").write_bytes(b"")
    with pytest.raises(OutputError, match=r"new/out\.aec"):
        write(Task("in", "new/out.aec", make_folders=True))


def test_a_full_device_is_said_and_stays_a_device() -> None:
    with pytest.raises(OutputError, match="/dev/full: No space left on device"):
        write(Task("in", "/dev/full", overwrite=True))
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_pipes_are_written_to_and_read_from() -> None:
    os.mkfifo("pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append(Path("pipe").read_bytes()))
    reader.start()
    write(Task("in", "pipe"))
    reader.join()
    assert received == [b"new"]
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(b"again"))
    writer.start()
    with seekable("pipe") as file:
        assert file.read() == b"again"
    writer.join()


def test_results_have_the_permissions_of_any_new_file() -> None:
    write(Task("in", "out.aec"))
    Path("other").write_bytes(b"")
    assert os.stat("out.aec").st_mode == os.stat("other").st_mode
