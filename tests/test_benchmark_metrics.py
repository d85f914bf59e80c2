"""Metrics against values known by other means."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.benchmark.metrics import LOSSLESS_DB, decibel, measure, psnr

from .benchmark_fakes import photo

pytest.importorskip("skimage")
pytest.importorskip("pytorch_msssim")


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    x = np.full((8, 8, 3), 100.0)
    assert psnr(x, x + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(x, x) == LOSSLESS_DB


def test_an_identical_picture_has_the_best_values() -> None:
    x = photo(0, 176)
    values = measure(x, x)
    assert values["psnr_rgb"] == values["psnr_y"] == LOSSLESS_DB
    assert values["ssim"] == pytest.approx(1, abs=1e-5)
    assert values["ms_ssim"] == pytest.approx(1, abs=1e-5)
    assert values["ssimulacra2"] is None


def test_more_noise_is_worse_by_every_metric() -> None:
    pytest.importorskip("ssimulacra2")
    x = photo(1, 176)
    noise = np.random.default_rng(2).normal(0, 1, x.shape)
    noisy = [np.clip(x + strength * noise, 0, 255).astype(np.uint8) for strength in (2, 8, 30)]
    results = [measure(x, y, ssimulacra2=True) for y in noisy]
    for name in results[0]:
        column = [result[name] for result in results]
        assert None not in column
        assert column == sorted(column, key=lambda value: -(value or 0)), name


def test_luma_errors_count_more_than_chroma_errors_in_psnr_y() -> None:
    x = photo(3)
    blue = x.copy()
    blue[..., 2] = np.clip(blue[..., 2].astype(int) + 6, 0, 255)
    green = x.copy()
    green[..., 1] = np.clip(green[..., 1].astype(int) + 6, 0, 255)
    of_blue, of_green = measure(x, blue)["psnr_y"], measure(x, green)["psnr_y"]
    assert of_blue is not None
    assert of_green is not None
    assert of_blue - of_green == pytest.approx(20 * np.log10(0.587 / 0.114), abs=0.3)


def test_pictures_too_small_for_a_window_have_no_value() -> None:
    assert measure(photo(4, 160), photo(4, 160))["ms_ssim"] is None
    tiny = measure(photo(4, 8), photo(5, 8))
    assert tiny["ssim"] is None
    assert tiny["psnr_rgb"] is not None


def test_similarities_in_decibels_stay_finite() -> None:
    assert decibel(0.9) == pytest.approx(10)
    assert decibel(1.0) == LOSSLESS_DB
    assert decibel(-0.2) < 0
