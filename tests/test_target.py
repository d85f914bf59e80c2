"""Targets are hit within what is promised, in few probes, or the error says what can be reached."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from aecodec import Codec, UsageError
from aecodec.errors import TargetError
from aecodec.picture.imageio import Picture, as_picture
from aecodec.search.target import Probe, Target, compress_to, parse_size, psnr, search

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec()


@pytest.fixture(scope="module")
def picture() -> Picture:
    return as_picture(Image.open(DATA / "face.png").convert("RGB"))


@pytest.mark.parametrize("size", [1200, 4000, 15_000])
def test_a_size_is_met_within_a_percent_and_never_exceeded(codec: Codec, picture: Picture, size: int) -> None:
    probes: list[Probe] = []
    data = compress_to(codec, picture, Target("size", size), on_probe=probes.append)
    assert 0.99 * size <= len(data) <= size
    assert len(probes) <= 6


def test_a_bit_rate_is_met_within_two_percent(codec: Codec, picture: Picture) -> None:
    data = compress_to(codec, picture, Target("bpp", 0.5))
    assert 8 * len(data) / 256**2 == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("goal", [31, 38])
def test_a_psnr_is_met_within_a_twentieth_of_a_decibel(codec: Codec, picture: Picture, goal: float) -> None:
    data = compress_to(codec, picture, Target("psnr", goal))
    assert psnr(codec.decompress(data).color, picture.color) == pytest.approx(goal, abs=0.05)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target("size", 100), r"100 bytes can't be met, this image reaches [0-9,]+ bytes to [0-9,]+ bytes"),
        (Target("size", 10_000_000), r"10,000,000 bytes can't be met"),
        (Target("psnr", 70), r"70.00 dB can't be met, this image reaches [0-9.]+ dB to [0-9.]+ dB"),
        (Target("bpp", 0.001), r"0.001 bpp can't be met"),
    ],
)
def test_what_cannot_be_met_says_what_can(codec: Codec, picture: Picture, target: Target, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        compress_to(codec, picture, target)


@pytest.mark.parametrize("goal", [30, 45, 60])
@pytest.mark.parametrize("exact_above", [3, 40, 75, 99])
def test_the_nearest_below_is_found_where_pictures_become_exact(goal: float, exact_above: float) -> None:
    def probe(quality: float) -> Probe:
        return Probe(quality, b"", math.inf if quality > exact_above else 25 + quality / 5)

    found = search(probe, Target("psnr", goal))
    assert min(goal, 25 + exact_above / 5) - 0.5 < found.result < goal + 0.05


@pytest.mark.parametrize("kind", ["size", "bpp", "psnr"])
def test_nothing_is_no_target(kind: Literal["size", "bpp", "psnr"]) -> None:
    with pytest.raises(UsageError, match="must be more than 0"):
        Target(kind, 0)


@pytest.mark.parametrize(
    ("text", "expected"), [("40KB", 40_000), ("1.5 MB", 1.5e6), ("300KiB", 307_200), ("5000", 5000), (".5mib", 1 << 19)]
)
def test_sizes_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "KB", "-3", "4 GBB", "1e3", "nan"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="size is"):
        parse_size(text)
