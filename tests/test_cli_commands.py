"""What the commands do with good files, run in this process: names, streams, JSON, options and their conflicts."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from aecodec.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with one small photograph-like image."""
    monkeypatch.chdir(tmp_path)
    picture().save("a.png")


def picture(width: int = 70, height: int = 50, seed: int = 0) -> Image.Image:
    """Smooth colors, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def aec(*arguments: str) -> None:
    """Run a command that must succeed."""
    assert main(arguments) == 0


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, object]]]:
    """The JSON lines on standard output so far."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_round_trip_beside_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    aec("compress", "a.png")
    os.rename("a.png", "original.png")
    aec("decompress", "a.aec")
    original, decoded = Image.open("original.png"), Image.open("a.png")
    assert (decoded.size, decoded.mode) == (original.size, original.mode)
    assert np.abs(np.asarray(original, float) - np.asarray(decoded, float)).mean() < 4
    captured = capsys.readouterr()
    assert captured.out == ""
    summary = r"aec: a\.png -> a\.aec: [\d,]+ -> \d+ bytes, 70x50, \d\.\d{3} bpp, \d+\.\d:1, \d+\.\d\d s"
    first, second = captured.err.splitlines()
    assert re.fullmatch(summary, first)
    assert second.startswith("aec: a.aec -> a.png: ")
    assert sorted(os.listdir()) == ["a.aec", "a.png", "original.png"]


@pytest.mark.parametrize(("suffix", "format"), [("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("bmp", "BMP")])
def test_the_suffix_of_the_result_decides_its_format(suffix: str, format: str) -> None:
    aec("compress", "a.png")
    aec("decompress", "a.aec", f"b.{suffix}")
    aec("decompress", "a.aec", "--format", suffix)
    aec("decompress", "a.aec", "-o", "no_suffix", "--format", suffix)
    assert {Image.open(name).format for name in (f"b.{suffix}", f"a.{suffix}", "no_suffix")} == {format}


def test_streams_in_and_out(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def pipe(data: bytes, *arguments: str) -> bytes:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        aec(*arguments)
        return capsysbinary.readouterr().out

    packed = pipe(Path("a.png").read_bytes(), "compress", "-")
    assert packed.startswith(b"\xaeAEC")
    assert pipe(b"", "compress", "a.png", "-") == packed
    assert Image.open(io.BytesIO(pipe(packed, "decompress", "-"))).format == "PNG"
    assert Image.open(io.BytesIO(pipe(packed, "decompress", "-", "--format", "webp"))).format == "WEBP"
    pipe(packed, "decompress", "-", "b.jpg")
    assert Image.open("b.jpg").size == (70, 50)
    assert pipe(packed, "info", "-").startswith(b"-: 70x50 RGB")
    pipe(packed, "verify", "-")


def test_more_quality_takes_more_bytes() -> None:
    sizes = []
    for quality in ("0", "50", "100"):
        aec("compress", "a.png", "-f", "-q", quality)
        sizes.append(os.path.getsize("a.aec"))
    assert sizes == sorted(set(sizes))


def test_a_target_is_met_or_says_what_can_be() -> None:
    aec("compress", "a.png", "--target-size", "400")
    assert 300 < os.path.getsize("a.aec") <= 400
    assert main(["compress", "a.png", "b.aec", "--target-size", "20"]) == 5
    assert not os.path.exists("b.aec")


def test_metadata_is_kept_or_left_as_told() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    picture().save("m.png", icc_profile=icc, exif=exif)
    for told, kept in (("all", {"icc", "exif"}), ("none", set()), ("exif,xmp", {"exif"})):
        aec("compress", "m.png", "-f", "--metadata", told)
        aec("decompress", "m.aec", "-o", "back.png", "-f")
        back = Image.open("back.png")
        assert {"icc" if "icc_profile" in back.info else "", "exif" if back.getexif() else ""} - {""} == kept
    aec("compress", "m.png", "-f")
    aec("decompress", "m.aec", "-o", "back.png", "-f", "--metadata", "icc")
    assert Image.open("back.png").info["icc_profile"] == icc
    assert not Image.open("back.png").getexif()


def test_a_region_is_that_part_of_the_whole() -> None:
    picture(150, 140).save("a.png")
    aec("compress", "a.png", "--tile", "64")
    aec("decompress", "a.aec", "whole.png")
    aec("decompress", "a.aec", "part.png", "--region", "50,60,70,80")
    whole, part = np.asarray(Image.open("whole.png"), int), np.asarray(Image.open("part.png"), int)
    assert np.abs(whole[60:140, 50:120] - part).max() <= 1


def test_what_is_reduced_is_said_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.arange(2000, dtype=np.uint16).reshape(40, 50)).save("deep.png")
    aec("compress", "deep.png")
    assert "aec: deep.png: 16 bit reduced to 8\n" in capsys.readouterr().err
    aec("compress", "deep.png", "-f", "--quiet")
    assert capsys.readouterr().err == ""


def test_json_says_what_was_done(lines: Callable[[], list[dict[str, object]]]) -> None:
    aec("compress", "a.png", "--json")
    (row,) = lines()
    assert (row["input"], row["output"], row["status"], row["exit_code"]) == ("a.png", "a.aec", "done", 0)
    assert (row["width"], row["height"]) == (70, 50)
    assert (row["bytes_in"], row["bytes_out"]) == (os.path.getsize("a.png"), os.path.getsize("a.aec"))
    assert row["bpp"] == pytest.approx(8 * os.path.getsize("a.aec") / 3500)
    assert main(["compress", "a.png", "none.png", "--json"]) == 1
    assert [(row["status"], row["exit_code"]) for row in lines()] == [("failed", 1), ("failed", 1)]
    assert main(["verify", "a.aec", "a.png", "--json"]) == 1
    assert [(row["status"], row["exit_code"]) for row in lines()] == [("done", 0), ("failed", 3)]


def test_the_psnr_is_said_if_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], lines: Callable[[], list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(seed=1).save("b.png")
    aec("compress", "a.png", "b.png", "-o", "out", "--psnr", "--json", "--quiet")
    psnr = {row["input"]: row["psnr"] for row in lines()}
    aec("decompress", "out/a.aec", "back.png", "--quiet")
    error = np.square(np.asarray(Image.open("a.png"), float) - np.asarray(Image.open("back.png"), float)).mean()
    assert psnr["a.png"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)
    aec("compress", "a.png", "b.png", "-o", "out", "--force", "--psnr")
    assert f", mean PSNR {(psnr['a.png'] + psnr['b.png']) / 2:.2f} dB, " in capsys.readouterr().err  # type: ignore[operator]
    aec("compress", "a.png", "--psnr")
    assert re.search(r":1, PSNR \d\d\.\d\d dB, ", capsys.readouterr().err)
    monkeypatch.setattr("aecodec.search.target.psnr", lambda *_: np.inf)
    aec("compress", "a.png", "--psnr", "--json", "--force")
    assert [row["psnr"] for row in lines()] == [100]


def test_info_for_people_and_machines(capsys: pytest.CaptureFixture[str], lines: Callable[[], list[dict[str, object]]]) -> None:
    aec("compress", "a.png", "-q", "62.5", "--tile", "64")
    capsys.readouterr()
    aec("info", "a.aec")
    shown = capsys.readouterr().out
    size = os.path.getsize("a.aec")
    assert f"a.aec: 70x50 RGB, {size:,} bytes" in shown
    assert "quality   62.5" in shown
    assert "tiles     2 of 64x64" in shown
    aec("info", "a.aec", "--json")
    (row,) = lines()
    assert (row["width"], row["quality"], row["size_bytes"]) == (70, 62.5, size)
    assert [chunk["name"] for chunk in row["chunks"]] == ["header", "tile", "tile", "end"]  # type: ignore[attr-defined]


def test_folders_are_mirrored(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["in/one.png", "in/deep/two.jpg", "in/deep/ä ö.png"]
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        picture(40, 30, seed).save(name)
    aec("compress", "in", "-o", "out")
    assert sorted(map(str, Path("out").rglob("*.aec"))) == ["out/deep/two.aec", "out/deep/ä ö.aec", "out/one.aec"]
    (summary,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"aec: 3 of 3 files compressed: [\d,]+ -> [\d,]+ bytes, \d+\.\d:1, \d+\.\d s", summary)
    aec("verify", "out")
    aec("decompress", "out", "-o", "back")
    assert sorted(map(str, Path("back").rglob("*.png"))) == ["back/deep/two.png", "back/deep/ä ö.png", "back/one.png"]


def test_worker_processes_do_what_one_does(lines: Callable[[], list[dict[str, object]]]) -> None:
    for seed in range(3):
        picture(40, 30, seed).save(f"{seed}.png")
    Path("3.png").write_text("no image")
    inputs = [f"{number}.png" for number in range(4)]
    assert main(["compress", *inputs, "-o", "one", "--quiet"]) == 1
    assert main(["compress", *inputs, "-o", "two", "--jobs", "2", "--json"]) == 1
    assert sorted((row["input"], row["status"]) for row in lines()) == [
        ("0.png", "done"), ("1.png", "done"), ("2.png", "done"), ("3.png", "failed"),
    ]  # fmt: skip
    for name in ("0.aec", "1.aec", "2.aec"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    assert sorted(os.listdir("two")) == ["0.aec", "1.aec", "2.aec"]


def test_what_is_there_is_skipped_or_updated_as_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.aec").write_bytes(b"old")
    aec("compress", "a.png", "--skip-existing")
    aec("compress", "a.png", "--update")
    assert Path("a.aec").read_bytes() == b"old"
    assert capsys.readouterr().err == "aec: a.png: skipped, a.aec exists\naec: a.png: skipped, a.aec up to date\n"
    os.utime("a.aec", (1, 1))
    aec("compress", "a.png", "--update")
    assert Path("a.aec").read_bytes() != b"old"


def test_a_dry_run_says_all_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    picture().save("b.png")
    Path("b.aec").write_bytes(b"old")
    assert main(["compress", "a.png", "b.png", "--dry-run"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "a.png -> a.aec\n"
    assert captured.err == "aec: b.png: b.aec exists; --force replaces it\n"
    assert sorted(os.listdir()) == ["a.png", "b.aec", "b.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "a.png", "--force", "--skip-existing"],
        ["compress", "a.png", "--update", "--skip-existing"],
        ["compress", "a.png", "-", "--update"],
        ["compress", "a.png", "-", "--json"],
        ["compress", "a.png", "-q", "101"],
        ["compress", "a.png", "-q", "nan"],
        ["compress", "a.png", "--tile", "100"],
        ["compress", "a.png", "--metadata", "iptc"],
        ["compress", "a.png", "--max-pixels", "0"],
        ["compress", "a.png", "--jobs", "0"],
        ["compress", "a.png", "--effort"],
        ["compress", "a.png", "--quality", "75", "--target-size", "1KB"],
        ["compress", "a.png", "--target-psnr", "30", "--target-bpp", "1"],
        ["compress", "a.png", "--target-size", "1 GB?"],
        ["compress", "a.png", "--target-bpp", "0"],
        ["compress"],
        ["decompress", "a.aec", "b.jpg", "--format", "png"],
        ["decompress", "a.aec", "b.xyz"],
        ["decompress", "a.aec", "--format", "xyz"],
        ["decompress", "a.aec", "--format", "png/x.png"],
        ["decompress", "a.aec", "b.png", "--region", "1,2,3"],
        ["decompress", "a.aec", "b.png", "--region", "60,0,11,10"],
        ["nothing"],
    ],
)
def test_what_contradicts_itself_or_makes_no_sense_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    aec("compress", "a.png", "--quiet")
    before = sorted(os.listdir())
    assert main(arguments) == 2
    assert sorted(os.listdir()) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    aec("--version")
    assert re.fullmatch(r"aec \d+\.\d+\.\d+\n", capsys.readouterr().out)
    for command in ("compress", "decompress", "info", "verify", "export"):
        aec(command, "--help")
        shown = capsys.readouterr().out
        assert "Examples:" in shown
        assert f"  aec {command} " in shown


def test_names_of_any_bytes_are_files_like_others(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("two\nlines.png", os.fsdecode(b"\xff.png"), "-q.png"):
        picture().save("plain.png")
        os.rename("plain.png", name)
        aec("compress", "--", name)
        assert os.path.exists(name[:-4] + ".aec")
        assert len(capsys.readouterr().err.splitlines()) == 1
