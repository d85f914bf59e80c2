"""A folder on a Ray cluster of two processes: every file once, whoever dies in between."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aecodec import Codec, UsageError
from aecodec.cli import main

ray = pytest.importorskip("ray")
distributed = pytest.importorskip("aecodec.distributed")

PICTURES = ["after.png", "before.png", "deep/two.jpg", "deep/ä ö.png", "one.png", "poison.png"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two processes on this machine."""
    os.environ.update(RAY_worker_niceness="0")
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of small pictures, a broken one, what is no picture, and a hidden one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in PICTURES:
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)).save(Path("in", name))
    for name in ("broken.png", "notes.txt", ".hidden.png"):
        Path("in", name).write_text("no image")


def below(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


@dataclass(frozen=True)
class Deadly(distributed.Compress):  # type: ignore[misc]
    """Compresses, but its process is killed in the middle of one file, after another, and by a third each time."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        name = Path(row["source"]).stem
        log = Path(self.target.path).parent / f"{name}.log"
        log.write_text(f"{log.read_text() if log.exists() else ''}{os.getpid()}\n")
        first = log.read_text().count("\n") == 1
        if name == "poison" or (name == "before" and first):
            Path(self.target.path).mkdir(exist_ok=True)
            Path(self.target.path, f".{row['target']}.0123abcd.partial").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        done: dict[str, Any] = super().__call__(row)
        if name == "after" and first:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


@pytest.mark.usefixtures("cluster")
def test_nothing_is_lost_or_doubled_when_workers_die() -> None:
    source, target = distributed.Place.parse("in"), distributed.Place.parse("out")
    planned = distributed.compress("in", "out")
    rows = list(distributed.Job(planned.rows, Deadly(source, target), workers=2))

    status = {row["source"]: row["status"] for row in rows}
    assert len(rows) == len(status) == len(planned) == len(PICTURES) + 1
    assert sorted(name for name in status if status[name] == "failed") == ["broken.png", "poison.png"]
    errors = {row["source"]: row["error"] for row in rows if row["error"]}
    assert errors["poison.png"] == "3 worker processes died over it"
    assert errors["broken.png"].endswith("not an image of a known format")
    assert len(Path("poison.log").read_text().split()) == 3
    for name in ("before", "after"):
        assert len(set(Path(f"{name}.log").read_text().split())) > 1  # another process did it again

    good = [name for name in PICTURES if name != "poison.png"]
    assert below("out") == sorted(str(Path(name).with_suffix(".aec")) for name in good)  # and no .partial
    codec = Codec(threads=1)
    for name in good:
        assert Path("out", name).with_suffix(".aec").read_bytes() == codec.compress(Image.open(Path("in", name)))


@pytest.mark.usefixtures("cluster")
def test_the_command_there_and_back(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda *_, **__: None)  # there is one
    assert main(["distributed", "compress", "in", "out", "--json"]) == 1
    captured = capsys.readouterr()
    rows = {row["input"]: row for row in map(json.loads, captured.out.splitlines())}
    assert sorted(rows) == sorted([*PICTURES, "broken.png"])
    assert (rows["one.png"]["output"], rows["one.png"]["width"], rows["one.png"]["status"]) == ("one.aec", 16, "done")
    failure, summary = captured.err.splitlines()
    assert failure.startswith("aec: broken.png: ")
    assert summary.startswith("aec: 6 of 7 files compressed, 1 failed: ")

    assert main(["distributed", "decompress", "out", "back", "--format", "webp", "--quiet"]) == 0
    assert below("back") == sorted(str(Path(name).with_suffix(".webp")) for name in PICTURES)
    assert {Image.open(Path("back", name)).size for name in below("back")} == {(16, 9)}


def test_what_is_there_is_refused_skipped_updated_or_replaced_as_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out/deep").mkdir(parents=True)
    Path("out/deep/two.aec").write_bytes(b"old")
    Path("out/one.aec").write_bytes(b"old")
    os.utime("out/one.aec", (1, 1))

    def planned(existing: str) -> dict[str, str]:
        return {row["target"]: row["status"] for row in distributed.compress("in", "out", existing=existing).rows}

    assert {planned(existing)["poison.aec"] for existing in ("refuse", "skip", "update", "replace")} == {"planned"}
    assert [planned("refuse")[name] for name in ("deep/two.aec", "one.aec")] == ["failed", "failed"]
    assert [planned("skip")[name] for name in ("deep/two.aec", "one.aec")] == ["skipped", "skipped"]
    assert [planned("update")[name] for name in ("deep/two.aec", "one.aec")] == ["skipped", "planned"]
    assert [planned("replace")[name] for name in ("deep/two.aec", "one.aec")] == ["planned", "planned"]
    assert main(["distributed", "compress", "in", "out", "--dry-run", "--update"]) == 0
    assert "one.png -> one.aec\n" in capsys.readouterr().out
    assert below("out") == ["deep/two.aec", "one.aec"]


def test_two_inputs_never_become_one_result() -> None:
    Path("in/one.jpg").write_bytes(b"")
    rows = {row["source"]: row for row in distributed.compress("in", "out").rows}
    assert (rows["one.jpg"]["status"], rows["one.png"]["error"]) == ("planned", "one.aec is already the result of one.jpg")


def test_places_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError):
        distributed.compress("nowhere", "out")
    with pytest.raises(UsageError, match="nosuch"):
        distributed.compress("nosuch://bucket/in", "out")
    assert main(["distributed", "compress", "nowhere", "out"]) == 1
    assert capsys.readouterr().err.endswith("nowhere: no such folder\n")


def test_s3_names_are_understood() -> None:
    place = distributed.Place.parse("s3://bucket/some/folder/?region=eu-west-1&endpoint_override=localhost:1")
    assert (place.filesystem.type_name, place.path) == ("s3", "bucket/some/folder")
