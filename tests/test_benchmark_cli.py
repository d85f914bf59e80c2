"""`aec benchmark` as people use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aecodec.benchmark import optional, session
from aecodec.cli import main
from aecodec.errors import UsageError

from .benchmark_fakes import folder_of_photos

pytest.importorskip("skimage")
pytest.importorskip("bjontegaard")


def test_a_quick_run_leaves_a_report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, out = folder_of_photos(tmp_path / "photos", 3), tmp_path / "out"
    assert main(["benchmark", str(folder), "--out", str(out), "--quick", "--codecs", "jpeg,webp", "--no-progress"]) == 0
    assert (out / "report.html").exists()
    assert len((out / "rows.csv").read_text().splitlines()) == 1 + 2 * 2 * 3
    assert str(out / "report.html") in capfd.readouterr().err


def test_a_broken_image_is_told_and_the_run_is_not_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, out = folder_of_photos(tmp_path / "photos", 1), tmp_path / "out"
    (folder / "broken.png").write_bytes(b"?")
    assert main(["benchmark", str(folder), "--out", str(out), "--quick", "--codecs", "jpeg", "--no-progress"]) == 1
    assert "broken.png is skipped: not an image" in capfd.readouterr().err
    assert "broken.png" in (out / "report.html").read_text()


def test_wrong_names_are_usage_errors_before_anything_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = folder_of_photos(tmp_path / "photos", 1)
    out = tmp_path / "out"
    assert main(["benchmark", str(folder), "--out", str(out), "--codecs", "gif"]) == 2
    assert "unknown codec gif" in capfd.readouterr().err
    assert main(["benchmark", str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    assert main(["benchmark", str(folder), "--out", str(out), "--published", str(tmp_path / "none.json")]) == 2
    assert not out.exists()


def test_the_list_names_every_codec(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--list-codecs"]) == 0
    listed = capfd.readouterr().out
    assert all(name in listed for name in ("aecodec", "jpeg-444", "jpeg2000", "avif-psnr", "heic"))


def test_a_missing_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "MODULES", ("a_library_that_is_not_there",))
    assert main(["benchmark", str(folder_of_photos(tmp_path, 1)), "--codecs", "jpeg"]) == 2
    assert "needs a_library_that_is_not_there: pip install 'aecodec[bench]'" in capfd.readouterr().err
    with pytest.raises(UsageError, match=r"pip install 'aecodec\[bench\]'"):
        optional.need("a_library_that_is_not_there")
