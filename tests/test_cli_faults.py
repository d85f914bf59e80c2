"""Whatever goes wrong: the right exit code, one line on standard error, no temporary file, the old result untouched."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aecodec import Codec, info
from aecodec.cli import main

AEC = [sys.executable, "-m", "aecodec"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image and its .aec file of six tiles."""
    folder = tmp_path_factory.mktemp("originals")
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((140, 100)).save(folder / "a.png")
    assert main(["compress", f"{folder}/a.png", f"{folder}/good.aec", "--tile", "64", "--quiet"]) == 0
    return folder


@pytest.fixture(autouse=True)
def folder(originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with copies of both."""
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end with a code; returns its one line of error."""

    def run(code: int, *arguments: str) -> str:
        before = {name: Path(name).read_bytes() for name in os.listdir() if os.path.isfile(name)}
        assert main(arguments) == code
        assert {name: Path(name).read_bytes() for name in os.listdir() if os.path.isfile(name)} == before
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("aec: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def damage(name: str = "bad.aec") -> None:
    """Flip a bit in the second tile of the good file."""
    data = bytearray(Path("good.aec").read_bytes())
    data[len(data) // 4] ^= 1
    Path(name).write_bytes(data)


def test_an_existing_result_is_not_touched_and_nothing_is_computed(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.aec").write_bytes(b"old")
    monkeypatch.setattr(Codec, "compress", lambda *_, **__: pytest.fail("work was done"))
    assert fails(1, "compress", "a.png") == "aec: a.png: a.aec exists; --force replaces it\n"


def test_a_result_never_replaces_its_input(fails: Callable[..., str]) -> None:
    os.link("good.aec", "same.png")
    assert "its own input" in fails(1, "decompress", "good.aec", "same.png", "--force")


def test_missing_input(fails: Callable[..., str]) -> None:
    assert fails(1, "compress", "none.png") == "aec: none.png: No such file or directory\n"
    assert fails(1, "decompress", "none.aec") == "aec: none.aec: No such file or directory\n"


def test_an_input_that_disappears_costs_nothing_but_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.png").write_bytes(Path("a.png").read_bytes())
    compress = Codec.compress

    def then_remove(*arguments: Any, **options: Any) -> bytes:
        Path("b.png").unlink()
        return compress(*arguments, **options)

    monkeypatch.setattr(Codec, "compress", then_remove)
    assert main(["compress", "a.png", "b.png", "-o", "out"]) == 1
    error, summary = capsys.readouterr().err.splitlines()
    assert error == "aec: b.png: No such file or directory"
    assert summary.startswith("aec: 1 of 2 files compressed, 1 failed: ")
    assert os.listdir("out") == ["a.aec"]


def test_output_is_a_directory(fails: Callable[..., str]) -> None:
    Path("a.aec").mkdir()
    assert fails(1, "compress", "a.png", "--force") == "aec: a.png: a.aec is a directory\n"


def test_no_permission(fails: Callable[..., str]) -> None:
    line = fails(1, "compress", "a.png", "/sys/a.aec")  # not even root may create files there
    assert line.startswith("aec: a.png: /sys/a.aec: ")


def test_disk_full(fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.aec").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # stands for it: writing fails after 100 bytes
    try:
        assert fails(1, "compress", "a.png", "--force") == "aec: a.png: a.aec: File too large\n"
        assert fails(1, "decompress", "good.aec") == "aec: good.aec: good.png: File too large\n"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_devices(fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(1, "decompress", "good.aec", "-o", "/dev/full").endswith("/dev/full: No space left on device\n")
    for arguments in (["decompress", "good.aec", "-"], ["info", "good.aec"]):
        with open("/dev/full", "w") as full:
            monkeypatch.setattr(sys, "stdout", full)
            assert main(arguments) == 1
        error = capsys.readouterr().err
        assert error.endswith("standard output: No space left on device\n")
        assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n and no more"])
def test_not_an_image_or_aec_file(fails: Callable[..., str], content: bytes) -> None:
    Path("no.png").write_bytes(content)
    assert fails(3, "compress", "no.png").startswith("aec: no.png: ")
    Path("not.aec").write_bytes(content)
    for command in ("decompress", "info", "verify"):
        assert fails(3, command, "not.aec").startswith("aec: not.aec: ")


def test_a_damaged_file_is_exit_code_3(fails: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    damage()
    assert "damaged" in fails(3, "decompress", "bad.aec")
    assert "damaged" in fails(3, "verify", "bad.aec")
    assert main(["info", "bad.aec"]) == 3
    captured = capsys.readouterr()
    assert captured.out.count("DAMAGED") == 1
    chunks = len(info(Path("bad.aec").read_bytes()).chunks)
    assert captured.err == f"aec: bad.aec: 1 of {chunks} chunks are damaged\n"


def test_allow_partial_shows_what_is_whole_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    damage()
    assert main(["decompress", "bad.aec", "--allow-partial"]) == 0
    assert Image.open("bad.png").size == (140, 100)
    assert "1 tiles are damaged" in capsys.readouterr().err


def test_too_many_pixels(fails: Callable[..., str]) -> None:
    assert "--max-pixels" in fails(3, "compress", "a.png", "--max-pixels", "13999")
    assert "--max-pixels" in fails(3, "decompress", "good.aec", "--max-pixels", "13999")
    assert main(["decompress", "good.aec", "--max-pixels", "14000"]) == 0


def test_a_missing_model_is_said_once(fails: Callable[..., str]) -> None:
    Path("broken").write_bytes(b"x" * 100)
    for model in ("none", "broken"):
        assert fails(4, "compress", "a.png", "a.png", "--model", model).startswith(f"aec: model {model}: ")
        assert fails(4, "verify", "good.aec", "--model", model).startswith(f"aec: model {model}: ")


def test_a_format_that_cannot_hold_the_image(fails: Callable[..., str]) -> None:
    Image.new("RGBA", (20, 20), (1, 2, 3, 4)).save("alpha.png")
    assert main(["compress", "alpha.png", "--quiet"]) == 0
    assert "alpha" in fails(2, "decompress", "alpha.aec", "alpha.jpg")


def test_of_many_the_others_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.png").write_text("no image")
    Image.new("L", (1, 1)).save("one.png")
    assert main(["compress", "text.png", "none.png", "a.png", "one.png"]) == 1
    *errors, summary = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in errors] == [" none.png", " text.png"]
    assert summary.startswith("aec: 2 of 4 files compressed, 2 failed: ")
    assert sorted(os.listdir()) == ["a.aec", "a.png", "good.aec", "one.aec", "one.png", "text.png"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("k"), "aec: a.png: KeyError: 'k'; this is a bug, AEC_DEBUG=1 shows where\n"),
        (MemoryError(), "aec: a.png: not enough memory\n"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "aec: a.png: not enough memory\n"),
    ],
)
def test_the_unexpected_is_one_line_too(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(Codec, "compress", broken)
    assert fails(1, "compress", "a.png") == line


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AEC_DEBUG", "1")
    Path("no.png").write_bytes(b"text")
    assert main(["compress", "no.png"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_ends_it_quietly(unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    Image.new("RGB", (800, 600), "teal").save("large.png")
    assert main(["compress", "large.png", "--quiet"]) == 0
    command = f"{' '.join(AEC)} decompress large.aec - --quiet --format bmp | head -c 10"  # more than a pipe holds
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert (done.returncode, done.stdout[:2], len(done.stdout), done.stderr) == (1, b"BM", 10, b"")
    for arguments in (["decompress", "good.aec", "-", "--quiet"], ["info", "good.aec"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([*AEC, *arguments], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


SLOW = """
import sys, time
from aecodec.cli import compress, files, main, options

def half(self, task, progress):
    with files.result(task) as file:
        file.write(b"half")
        file.flush()
        for _ in range(600):
            time.sleep(0.1)  # a signal that comes just before a sleep is noticed only after it

compress.Compress.__call__ = half
options.CodecOptions.check_model = lambda self: None

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
"""`aec` with a compressor that stops half way through writing; worker processes import it as well."""


def start_slow(jobs: int) -> subprocess.Popen[str]:
    """Compress two images with so many jobs, up to where all of them are writing."""
    Path("b.png").write_bytes(Path("a.png").read_bytes())
    Path("slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "slow.py", "compress", "a.png", "b.png", "-o", "out", "--jobs", str(jobs)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # may be ignored in background jobs
    )
    deadline = time.monotonic() + 60
    while len(list(Path("out").glob(".*.partial"))) < jobs:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "interrupt",
    [
        lambda pid: os.kill(pid, signal.SIGTERM),
        lambda pid: os.kill(pid, signal.SIGINT),
        lambda pid: os.killpg(pid, signal.SIGINT),  # what Ctrl-C does
    ],
    ids=["SIGTERM", "SIGINT", "Ctrl-C"],
)
def test_an_interrupt_leaves_nothing_behind(jobs: int, interrupt: Callable[[int], None]) -> None:
    process = start_slow(jobs)
    interrupt(process.pid)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.fullmatch(r"aec: 0 of 2 files compressed: 0 bytes, \d+\.\d s\naec: interrupted\n", errors)
    assert os.listdir("out") == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_after_a_kill_the_workers_end_and_the_next_run_cleans_up(jobs: int) -> None:
    process = start_slow(jobs)
    process.kill()
    process.communicate(timeout=30)  # returns when the last worker has closed its end
    assert sorted(os.listdir("out")) == [".a.aec.partial", ".b.aec.partial"][:jobs]
    assert main(["compress", "a.png", "b.png", "-o", "out", "--quiet"]) == 0
    assert sorted(os.listdir("out")) == ["a.aec", "b.aec"]


def descendants(pid: int) -> Iterator[int]:
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        yield child
        yield from descendants(child)


def is_writing(pid: int) -> bool:
    return any(os.readlink(file).endswith(".partial") for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink())


def test_a_worker_that_dies_is_said_for_each_file_it_costs() -> None:
    process = start_slow(jobs=2)
    os.kill(next(filter(is_writing, descendants(process.pid))), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.count("a worker process died") == 2
    assert "0 of 2 files compressed, 2 failed" in errors
