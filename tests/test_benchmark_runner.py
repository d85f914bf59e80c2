"""Runs survive: rows are kept one by one, a second start resumes, a failure is told and skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aecodec.benchmark import rows as store
from aecodec.benchmark.codecs import Codec
from aecodec.benchmark.runner import Run, Settings, core_groups, find_images, run
from aecodec.errors import UsageError

from .benchmark_fakes import FakeCodec, folder_of_photos, invented_run

pytest.importorskip("skimage")
QUALITIES = (4.0, 16.0, 64.0)


def start(folder: Path, codecs: list[Codec], interrupt_after: int | None = None, jobs: int = 1) -> tuple[Run, int]:
    """A run over the folder's images; also how many encodes it had to do."""
    sources, _ = find_images(folder)
    todo = 0

    def progress(done: int, total: int, failure: str) -> None:
        nonlocal todo
        todo = total
        if done == interrupt_after:
            raise KeyboardInterrupt

    qualities = {codec.name: QUALITIES for codec in codecs}
    return run(sources, codecs, qualities, folder / "rows.csv", Settings(jobs=jobs), progress), todo


def test_an_interrupted_run_is_valid_and_the_next_one_goes_on(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path)
    first, todo = start(folder, [FakeCodec()], interrupt_after=2)
    assert not first.complete
    assert todo == 6
    kept = store.load(folder / "rows.csv")
    assert 2 <= len(kept) < 6
    text = (folder / "rows.csv").read_text()
    (folder / "rows.csv").write_text(text[: len(text) - 30])  # killed while it wrote a row

    second, todo = start(folder, [FakeCodec()])
    assert second.complete
    assert len(second.rows) == 6
    assert todo == 6 - len(kept) + 1
    third, todo = start(folder, [FakeCodec()])
    assert todo == 0
    assert third.rows.keys() == second.rows.keys()

    changed, todo = start(folder, [FakeCodec(release="2")])
    assert todo == 6
    assert {row.version for row in changed.rows.values()} == {"2"}
    assert len(store.load(folder / "rows.csv")) == 6  # stale rows are replaced


def test_rows_are_what_was_measured(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path, 1)
    result, _ = start(folder, [FakeCodec()])
    rows = sorted(result.rows.values(), key=lambda row: row.quality)
    assert [row.bytes for row in rows] == sorted(row.bytes for row in rows)
    assert [row.psnr_rgb for row in rows] == sorted(row.psnr_rgb for row in rows)
    for row in rows:
        assert row.bpp == row.bytes * 8 / (row.width * row.height)
        assert row.ssim is not None
        assert row.ms_ssim is None  # 40 pixels are too few
        assert row.encode_s > 0
        assert row.threads == 1
    again = store.load(folder / "rows.csv")
    assert {key: row.bytes for key, row in again.items()} == {row.key: row.bytes for row in rows}


def test_a_codec_that_fails_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path)
    result, _ = start(folder, [FakeCodec(refuses=16.0), FakeCodec("other")], jobs=2)
    assert result.complete
    assert sorted(result.failures) == [f"photo{i}.png, fake at quality 16: ValueError: not this one" for i in (0, 1)]
    assert sum(row.codec == "fake" for row in result.rows.values()) == 4
    assert sum(row.codec == "other" for row in result.rows.values()) == 6


def test_a_broken_image_is_named_and_skipped(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path)
    (folder / "broken.png").write_bytes(b"not an image")
    whole = (folder / "photo0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no image, and no name of one")
    sources, failures = find_images(folder)
    assert [source.name for source in sources] == ["photo0.png", "photo1.png"]
    assert failures[0] == "broken.png is skipped: not an image"
    assert failures[1].startswith("cut.png is skipped: ")
    assert str(tmp_path) not in "".join(failures)


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no image"):
        find_images(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        find_images(tmp_path / "nowhere")


def test_the_table_keeps_whole_rows_and_the_latest_of_a_kind(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path)
    sources, _ = find_images(folder)
    rows = list(invented_run([FakeCodec()], sources).rows.values())
    path = tmp_path / "rows.csv"
    store.save(path, rows)
    store.append(path, replace(rows[0], bytes=7))
    with path.open("a") as stream:
        stream.write("photo0.png,abc,40")
    loaded = store.load(path)
    assert len(loaded) == len(rows)
    assert loaded[rows[0].key].bytes == 7
    assert loaded[rows[1].key] == replace(rows[1], ssim=pytest.approx(rows[1].ssim), ms_ssim=pytest.approx(rows[1].ms_ssim))
    assert store.load(tmp_path / "none.csv") == {}


def test_workers_get_cores_of_their_own() -> None:
    groups = core_groups(jobs=2, threads=1)
    assert len(groups) == 2
    if groups[0]:
        assert all(len(group) == 1 for group in groups)
