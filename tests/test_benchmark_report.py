"""What follows from the rows: files that others can read, and a page that works in a browser without a network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aecodec.benchmark.codecs import Codec
from aecodec.benchmark.crops import at_bytes, telling_window
from aecodec.benchmark.curves import load_published, measured_curves
from aecodec.benchmark.metrics import METRICS
from aecodec.benchmark.outputs import write_outputs
from aecodec.benchmark.runner import Run, find_images
from aecodec.errors import UsageError

from .benchmark_fakes import FakeCodec, folder_of_photos, invented_run, photo

pytest.importorskip("matplotlib")
pytest.importorskip("bjontegaard")

CODECS: list[Codec] = [FakeCodec("old", "Old"), FakeCodec("new", "New", family="aecodec")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def a_run(tmp_path: Path) -> Run:
    sources, _ = find_images(folder_of_photos(tmp_path / "photos", 3))
    return invented_run(CODECS, sources)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run with two codecs, three images, two published curves and a hostile message."""
    tmp_path = tmp_path_factory.mktemp("report")
    published = tmp_path / "published.json"
    curve = {"bpp": [1, 3, 9, 30, 90], "psnr-rgb": [25, 30, 35, 40, 45], "source": "a paper"}
    published.write_text(json.dumps({"Drawn": curve, "Offered": curve | {"ms-ssim-rgb": [0.8, 0.9, 0.95, 0.98, 0.99]}}))
    out = tmp_path / "out"
    out.mkdir()
    problem = "photo9.png is skipped: </script><script>alert(1)</script>"
    write_outputs(out, a_run(tmp_path), load_published(published), [problem], "photos", "aec benchmark photos", crops=True)
    return out


def page_data(out: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', (out / "report.html").read_text(), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_half_the_bytes_are_told_as_half_the_bytes(out: Path) -> None:
    data = page_data(out)
    assert data["hero"] == "new"
    [sentence] = data["sentences"]
    assert sentence["text"] == "At equal PSNR New's files are 50.0 % smaller than Old's."
    assert data["bdImages"]["old"]["new"] == pytest.approx([-50, -50, -50])
    assert "psnr_rgb,old,new,-50.00," in (out / "bd_rates.csv").read_text()


def test_results_are_in_compressais_schema_and_come_back_as_published_curves(out: Path) -> None:
    content = json.loads((out / "results" / "new.json").read_text())
    assert content.keys() == {"name", "description", "results"}
    results = content["results"]
    assert {"bpp", "psnr-rgb", "ms-ssim-rgb", "encoding_time", "decoding_time"} <= results.keys()
    assert len({len(column) for column in results.values()}) == 1
    [curve] = load_published(out / "results" / "new.json")
    points = curve.line(METRICS[0])
    assert points is not None
    assert points.tolist() == [list(point) for point in zip(results["bpp"], results["psnr-rgb"], strict=True)]


def test_everything_says_how_it_was_made(out: Path) -> None:
    facts = json.loads((out / "run.json").read_text())
    for name in ("date", "machines", "threads", "command", "libraries", "codecs", "files", "problems"):
        assert facts[name], name
    for metric in ("psnr_rgb", "ssim", "ms_ssim"):
        for suffix in ("png", "svg"):
            assert (out / "plots" / f"rate_{metric}.{suffix}").stat().st_size > 5000
    assert (out / "plots" / "bd_rate.png").exists()
    assert (out / "plots" / "time.svg").exists()


def test_the_page_stands_alone(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert len(page) < 15_000_000
    assert not re.search(r'<(script|img|link|iframe)[^>]+(src|href)="(?!data:)', page)
    assert "@import" not in page
    assert "sourceMappingURL" not in page
    assert "<script>alert(1)" not in page
    assert str(out.parent) not in page


def test_an_unfinished_run_is_over_the_images_that_are_complete(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.complete = False
    del run.rows["photo2.png", "new", 64.0]
    measured, images = measured_curves(run)
    assert images == ["photo0.png", "photo1.png"]
    assert [m.codec.name for m in measured] == ["old", "new"]
    write_outputs(tmp_path, run, [], [], "photos", "command", crops=False)
    assert "means are over 2 of 3 images" in page_data(tmp_path)["facts"]["problems"][0]

    for key in [key for key in run.rows if key[1] == "new"]:
        del run.rows[key]
    measured, images = measured_curves(run)
    assert [m.codec.name for m in measured] == ["old"]
    assert len(images) == 3
    run.rows.clear()
    assert measured_curves(run) == ([], [])


def test_three_qualities_are_drawn_without_deltas(tmp_path: Path) -> None:
    codecs: list[Codec] = [FakeCodec("old", "Old", qualities=(2, 4, 8)), FakeCodec("new", "New", qualities=(2, 4, 8))]
    sources, _ = find_images(folder_of_photos(tmp_path / "photos", 1))
    write_outputs(tmp_path, invented_run(codecs, sources), [], [], "photos", "command", crops=False)
    data = page_data(tmp_path)
    assert data["sentences"] == []
    assert len(data["codecs"]) == 2
    assert not (tmp_path / "plots" / "bd_rate.png").exists()


def test_a_file_without_curves_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("", "[1]", '{"a": {"bpp": 3}}', '{"results": 1}'):
        path.write_text(text)
        with pytest.raises(UsageError, match="holds no published curves"):
            load_published(path)


def test_equal_bytes_are_found() -> None:
    codec, pixels = FakeCodec(whole_qualities=True), photo(0)
    known = [(quality, len(codec.encode(pixels, quality))) for quality in codec.qualities]
    for target in (known[1][1] + 100, known[3][1], known[0][1] // 2, known[-1][1] * 2):
        quality, data = at_bytes(codec, pixels, target, known)
        assert quality == int(quality)
        assert data == codec.encode(pixels, quality)
        assert all(abs(len(data) - target) <= abs(size - target) * 1.05 for _, size in known)


def test_the_window_lies_in_the_picture_and_shows_its_edges() -> None:
    pixels = photo(0, 400)
    pixels[300:380, 310:390] = 255
    left, top, right, bottom = telling_window(pixels, 100)
    assert 0 <= left < right <= 400
    assert 0 <= top < bottom <= 400
    assert right > 310
    assert bottom > 300
    assert telling_window(photo(0), 100) == (0, 0, 40, 40)


@pytest.fixture(scope="module")
def page(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The report in a headless Chromium; what goes wrong on the page is collected in `page.problems`."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs playwright")
    if CHROMIUM is None:
        pytest.skip("the browser test needs chromium")
    arguments = (
        "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    profile = tmp_path_factory.mktemp("profile")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=arguments.split(), viewport={"width": 1280, "height": 900}
        )
        page = context.new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.problems.append(request.url) if request.url.startswith("http") else None)
        page.goto((out / "report.html").as_uri())
        yield page
        context.close()


def test_the_page_loads_without_errors_or_requests(page: Any) -> None:
    assert page.title().startswith("photos")
    assert page.locator("#sentences li").inner_text().split() == ["50.0", "%", "smaller", "than", "Old"]
    assert page.locator("#problems").inner_text().startswith("photo9.png is skipped: </script>")
    page.locator("#metric button", has_text="MS-SSIM").click()
    page.select_option("#image", "photo1.png")
    page.locator("#log").click()
    page.locator("#theme").click()
    page.select_option("#image", "")
    page.locator("#metric button").first.click()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=10_000)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert page.problems == []


def test_hovering_shows_codec_quality_bits_and_metric(page: Any) -> None:
    canvas = page.locator("#curves")
    canvas.scroll_into_view_if_needed()
    where = page.evaluate("(() => { const p = Chart.getChart('curves').getDatasetMeta(1).data[2]; return {x: p.x, y: p.y}; })()")
    canvas.hover(position=where)
    page.wait_for_function("Chart.getChart('curves').tooltip.opacity > 0")
    title, lines = page.evaluate(
        "(() => { const t = Chart.getChart('curves').tooltip; return [t.title[0], t.body.flatMap((b) => b.lines)]; })()"
    )
    assert title == "New"
    assert lines[0] == "quality 8"
    assert lines[1].endswith(" bpp")
    assert lines[2] == "PSNR (dB) 33.00"


def test_a_click_hides_a_curve_and_another_shows_it(page: Any) -> None:
    chip = page.locator("#legend button", has_text="Old")
    visible = "Chart.getChart('curves').isDatasetVisible(0)"
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    assert page.evaluate(visible) is False
    chip.click()
    assert page.evaluate(visible) is True


def test_the_table_sorts_and_takes_another_anchor(page: Any) -> None:
    first = page.locator("#bd-table tbody tr td").first
    assert first.inner_text() == "New"
    page.locator("#bd-table th button", has_text="BD-rate").click()
    assert first.inner_text() == "Old"
    page.select_option("#bd-anchor", "new")
    assert "+100.0 %" in page.locator("#bd-table").inner_text()
    page.select_option("#bd-anchor", "old")


def test_the_divider_moves_and_the_picture_zooms(page: Any) -> None:
    divider = page.locator("#divider")
    divider.scroll_into_view_if_needed()
    box = divider.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.locator("#right").evaluate("node => node.style.clipPath")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y, steps=4)
    page.mouse.up()
    assert divider.bounding_box()["x"] == pytest.approx(box["x"] - 120, abs=2)
    assert page.locator("#right").evaluate("node => node.style.clipPath") != before
    page.locator("#zoom button", has_text="4×").click()
    assert "scale(4)" in page.locator("#left").evaluate("node => node.style.transform")
    page.select_option("#left-codec", "original")
    assert "without loss" in page.locator("#left-caption").inner_text()
    sizes = page.evaluate("[...document.querySelectorAll('#stage img')].map((image) => image.naturalWidth)")
    assert sizes == [40, 40]
    assert page.problems == []
