"""Where results go: every rule of `aec compress --help` on names, without coding anything."""

import os
from pathlib import Path

import pytest

from aecodec import UsageError
from aecodec.cli.decompress import _is_result
from aecodec.cli.names import Naming, Task, is_aec, plan
from aecodec.picture.imageio import is_image

COMPRESS = Naming(is_image, is_aec, ".aec")
DECOMPRESS = Naming(is_aec, _is_result, ".png")
VERIFY = Naming(is_aec)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with two images and a tree."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.png",
        "b.jpg",
        "tree/c.png",
        "tree/deep/ä ö.webp",
        "tree/text.txt",
        "tree/._c.png",
        "tree/.hid/d.png",
        "x.aec",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")
    Path("empty").mkdir()
    return tmp_path


def pairs(tasks: list[Task]) -> list[tuple[str, str | None]]:
    assert not any(task.refused or task.skipped for task in tasks), tasks
    return [(task.source, task.target) for task in tasks]


@pytest.mark.parametrize(
    ("naming", "arguments", "output", "expected"),
    [
        (COMPRESS, ["a.png"], None, [("a.png", "a.aec")]),
        (COMPRESS, ["tree/c.png"], None, [("tree/c.png", "tree/c.aec")]),
        (COMPRESS, ["a.png", "z.aec"], None, [("a.png", "z.aec")]),
        (COMPRESS, ["a.png"], "z.aec", [("a.png", "z.aec")]),
        (COMPRESS, ["a.png"], "z", [("a.png", "z")]),
        (COMPRESS, ["a.png", "-"], None, [("a.png", "-")]),
        (COMPRESS, ["-"], None, [("-", "-")]),
        (COMPRESS, ["-", "-"], None, [("-", "-")]),
        (COMPRESS, ["a.png", "a.png"], None, [("a.png", "a.aec")]),
        (COMPRESS, ["-", "z.aec"], None, [("-", "z.aec")]),
        (COMPRESS, ["a.png"], "empty", [("a.png", "empty/a.aec")]),
        (COMPRESS, ["a.png"], "new/", [("a.png", "new/a.aec")]),
        (COMPRESS, ["a.png", "b.jpg"], None, [("a.png", "a.aec"), ("b.jpg", "b.aec")]),
        (COMPRESS, ["a.png", "b.jpg"], "new", [("a.png", "new/a.aec"), ("b.jpg", "new/b.aec")]),
        (COMPRESS, ["a.png", "b.jpg"], "new.aec/", [("a.png", "new.aec/a.aec"), ("b.jpg", "new.aec/b.aec")]),
        (COMPRESS, ["tree"], None, [("tree/c.png", "tree/c.aec"), ("tree/deep/ä ö.webp", "tree/deep/ä ö.aec")]),
        (COMPRESS, ["tree", "a.png"], "new", [
            ("tree/c.png", "new/c.aec"), ("tree/deep/ä ö.webp", "new/deep/ä ö.aec"), ("a.png", "new/a.aec"),
        ]),
        (DECOMPRESS, ["x.aec"], None, [("x.aec", "x.png")]),
        (DECOMPRESS, ["x.aec", "z.jpg"], None, [("x.aec", "z.jpg")]),
        (DECOMPRESS, ["x.aec", "-"], None, [("x.aec", "-")]),
        (DECOMPRESS, ["."], "new", [("./x.aec", "new/x.png")]),
        (VERIFY, ["x.aec", "-"], None, [("x.aec", None), ("-", None)]),
        (VERIFY, ["x.aec", "a.png"], None, [("x.aec", None), ("a.png", None)]),
    ],
)  # fmt: skip
def test_targets(naming, arguments, output, expected) -> None:
    assert pairs(plan(arguments, output, naming)) == [(str(Path(s)) if s != "-" else s, t) for s, t in expected]


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["a.png", "b.jpg", "x.aec"], "z.aec"),
        (["a.png", "b.jpg"], "-"),
        (["a.png", "b.jpg"], "a.png"),
        (["tree"], "z.aec"),
        (["-", "-", "a.png"], None),
        (["-"], "new/"),
        (["-", "a.png"], "new"),
    ],
)
def test_contradictions_are_usage_errors(arguments, output) -> None:
    with pytest.raises(UsageError):
        plan(arguments, output, COMPRESS)


def test_two_inputs_with_one_result_keep_the_first() -> None:
    Path("a.jpg").write_bytes(b"?")
    first, second = plan(["a.png", "a.jpg"], None, COMPRESS)
    assert not first.refused
    assert second.refused == "a.aec is already the result of a.png"


def test_two_names_of_one_result_are_seen() -> None:
    os.symlink("tree", "link")
    _, second = plan(["tree/c.png", "link/c.png"], None, COMPRESS)
    assert "already the result" in second.refused


def test_a_folder_without_images_is_said() -> None:
    (task,) = plan(["empty"], None, COMPRESS)
    assert "no file" in task.refused


def test_missing_inputs_and_folders_are_found_before_the_work() -> None:
    (task,) = plan(["none.png"], None, COMPRESS)
    assert task.refused == "No such file or directory"
    (task,) = plan(["a.png"], "none/a.aec", COMPRESS)
    assert task.refused == "none: no such folder"
    (task,) = plan(["a.png"], "x.aec/a.aec", COMPRESS)
    assert "Not a directory" in task.refused


def test_an_existing_result_is_refused_replaced_skipped_or_updated() -> None:
    Path("a.aec").write_bytes(b"?")
    os.utime("a.aec", (1000, 1000))
    assert "--force" in plan(["a.png"], None, COMPRESS)[0].refused
    assert plan(["a.png"], None, COMPRESS, "replace")[0].overwrite
    assert plan(["a.png"], None, COMPRESS, "skip")[0].skipped == "exists"
    assert not plan(["a.png"], None, COMPRESS, "update")[0].skipped
    os.utime("a.png", (999, 999))
    assert plan(["a.png"], None, COMPRESS, "update")[0].skipped == "up to date"


@pytest.mark.parametrize("existing", ["refuse", "replace", "skip", "update"])
def test_a_result_never_replaces_its_input(existing) -> None:
    os.link("x.aec", "hard.png")
    (task,) = plan(["x.aec", "hard.png"], None, DECOMPRESS, existing)
    assert "its own input" in task.refused


def test_a_folder_is_no_result() -> None:
    Path("a.aec").mkdir()
    assert plan(["a.png"], None, COMPRESS, "replace")[0].refused == "a.aec is a directory"


def test_devices_hold_nothing_that_could_be_lost() -> None:
    assert pairs(plan(["a.png"], "/dev/null", COMPRESS)) == [("a.png", "/dev/null")]


def test_which_files_of_a_folder_are_images() -> None:
    assert all(map(is_image, ["a.png", "A.JPG", "a.tiff", "a.webp", "a.avif"]))
    assert not any(map(is_image, ["a.aec", "a.txt", "a", "movie.mpg", "a.pdf", "a.eps"]))
