"""Encode-time search: files of any effort are ordinary ones, cost less, and never cost more."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import aecodec
from aecodec.codec import Codec
from aecodec.coding.correction import Correction
from aecodec.defaults import MAX_EFFORT, SEARCH_STEPS
from aecodec.errors import UsageError
from aecodec.interface import Found
from aecodec.model.quality import lmbda_of_level
from aecodec.picture.imageio import Picture
from aecodec.search.refine import corrected
from aecodec.search.target import Target, compress_to, psnr

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(threads=1)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.asarray(Image.open(DATA / "face.png").convert("RGB"))[:160, :192]


def cost(codec: Codec, image: np.ndarray, data: bytes, quality: float) -> float:
    """R + λ·255²·MSE of a file, in bits."""
    error = np.square(codec.decompress(data).color.astype(float) - image).mean()
    return 8 * len(data) + lmbda_of_level(codec.weights.level(round(quality * 100))) * image[..., 0].size * float(error)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_search_sees_the_correction_that_decoders_apply(channels: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((channels, 40, 70), dtype=np.float32)
    x[:, :, :35] = 0.5 + 0.01 * x[:, :, :35]  # little activity
    correction = Correction(rng.integers(-4, 5, (2 * channels, 8 * channels)).astype(np.int32), precision=5)
    applied = correction.apply(x, 0.01, slice(0, 40), slice(0, 70))
    seen = corrected(torch.from_numpy(x)[None], torch.from_numpy(correction.kernel()), 0.01)
    assert np.abs(applied - x).max() > 0.1
    np.testing.assert_allclose(seen[0].numpy(), applied, atol=1e-5)


@pytest.mark.parametrize("quality", [20, 75, 95])
def test_search_lowers_the_cost_and_any_decoder_reads_it(codec: Codec, image: np.ndarray, quality: float) -> None:
    plain, searched = (codec.compress(image, quality=quality, effort=effort) for effort in (0, 5))
    assert cost(codec, image, searched, quality) < 0.995 * cost(codec, image, plain, quality)
    assert np.abs(Codec(engine="torch").decompress(searched).color.astype(int) - codec.decompress(searched).color).max() <= 1
    assert aecodec.info(searched).effort == 5


@pytest.mark.parametrize("mode", ["noise", "flat", "gray", "one pixel", "odd size"])
def test_a_file_of_more_effort_is_never_larger_at_lower_quality(codec: Codec, image: np.ndarray, mode: str) -> None:
    rng = np.random.default_rng(0)
    picture = {
        "noise": rng.integers(0, 256, (64, 64, 3), np.uint8),
        "flat": np.full((64, 64, 3), 200, np.uint8),
        "gray": image[:64, :64, 1],
        "one pixel": image[:1, :1],
        "odd size": image[:67, :45],
    }[mode]
    for quality in (5, 60):
        plain, searched = (codec.compress(picture, quality=quality, effort=effort) for effort in (0, 2))
        better = psnr(picture, codec.decompress(searched).color) >= psnr(picture, codec.decompress(plain).color)
        assert len(searched) <= len(plain) or better


def test_tiles_are_searched_one_by_one_and_leave_no_seam(codec: Codec, image: np.ndarray) -> None:
    plain, searched = (codec.compress(image, quality=75, effort=effort, tile=128) for effort in (0, 4))
    assert cost(codec, image, searched, 75) < cost(codec, image, plain, 75)
    error = np.square(codec.decompress(searched).color.astype(float) - image).mean((1, 2))
    assert error[120:136].mean() < 1.5 * error.mean()


def test_the_same_search_gives_the_same_bytes(codec: Codec, image: np.ndarray) -> None:
    assert codec.compress(image, effort=2) == codec.compress(image, effort=2)


def test_who_watches_may_end_a_search_and_keeps_what_is_found(codec: Codec, image: np.ndarray) -> None:
    seen: list[Found] = []

    def watch(found: Found) -> bool:
        seen.append(found)
        return found.step == 3

    data = codec.compress(image, effort=9, watch=watch)
    assert [found.step for found in seen] == [1, 2, 3]
    assert seen[0].steps == SEARCH_STEPS[9]
    assert 0 < seen[-1].bpp < 24
    assert 20 < seen[-1].psnr < 60
    assert cost(codec, image, data, 75) <= cost(codec, image, codec.compress(image), 75)


def test_efforts_out_of_range_are_refused(codec: Codec, image: np.ndarray) -> None:
    for effort in (-1, MAX_EFFORT + 1):
        with pytest.raises(UsageError, match="effort"):
            codec.compress(image, effort=effort)


@pytest.mark.parametrize("target", [Target("size", 3000), Target("bpp", 0.8), Target("psnr", 35)])
def test_targets_are_hit_with_an_effort(codec: Codec, image: np.ndarray, target: Target) -> None:
    picture = Picture(image)
    data = compress_to(codec, picture, target, effort=2)
    low, high = target.window()
    result = {
        "size": len(data),
        "bpp": 8 * len(data) / image[..., 0].size,
        "psnr": psnr(image, codec.decompress(data).color),
    }[target.kind]
    assert low <= result <= high
    assert not math.isinf(result)


def test_the_command_line_takes_an_effort(tmp_path: Path) -> None:
    out = tmp_path / "x.aec"
    command = [sys.executable, "-m", "aecodec", "compress", "-e", "2", str(DATA / "face.png"), str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.count("\n") == 1
    assert aecodec.info(out.read_bytes()).effort == 2


INTERRUPTS = """
import os, signal, sys
from aecodec.cli import main
from aecodec.search import refine

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job would ignore it
found = refine._Search.found

def interrupted_at_2(search, step, *rest):
    if step == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return found(search, step, *rest)

refine._Search.found = interrupted_at_2
sys.exit(main())
"""


def test_ctrl_c_ends_the_search_and_writes_the_best_so_far(tmp_path: Path) -> None:
    out = tmp_path / "x.aec"
    command = [sys.executable, "-c", INTERRUPTS, "compress", "-e", "9", str(DATA / "face.png"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130
    assert "the best that was found so far is written" in done.stderr
    assert Codec(threads=1).decompress(out.read_bytes()).width > 1
