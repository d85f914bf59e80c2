"""Alpha: lossless, small, and never larger in memory than the plane it is."""

from __future__ import annotations

import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aecodec.coding import alpha
from aecodec.errors import FormatError

Plane = npt.NDArray[np.uint8]

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
planes = sizes.flatmap(
    lambda size: st.binary(min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda data: np.frombuffer(data, np.uint8).reshape(size)
    )
)


@given(planes)
def test_alpha_is_lossless(plane: Plane) -> None:
    assert np.array_equal(alpha.decompress(alpha.compress(plane), *plane.shape), plane)


@given(planes, st.sampled_from(sorted(alpha.FILTERS)))
def test_every_filter_is_undone_as_the_specification_says(plane: Plane, name: int) -> None:
    """The sums of docs/format.md, one sample at a time."""
    height, width = plane.shape
    a = np.pad(plane, ((1, 0), (1, 0))).tolist()  # a[y + 1][x + 1] is the sample at x, y; zero outside
    stored = bytearray()
    for y in range(height):
        for x in range(width):
            left, up, both = a[y + 1][x], a[y][x + 1], a[y][x]
            guess = {0: 0, 1: left, 2: up, 3: left + up - both}[name]
            stored.append((a[y + 1][x + 1] - guess) % 256)
    data = bytes([name]) + zlib.compress(stored)
    assert np.array_equal(alpha.decompress(data, height, width), plane)


def test_smooth_planes_become_small() -> None:
    ramp = np.add.outer(np.arange(256), np.arange(256)).astype(np.uint8)
    assert len(alpha.compress(ramp)) < 300
    assert len(alpha.compress(np.full((256, 256), 255, np.uint8))) < 300


PLANE = np.arange(12, dtype=np.uint8).reshape(3, 4)
DATA = alpha.compress(PLANE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "filter is missing"),
        (b"\x04" + DATA[1:], "filter is 4, allowed 0..3"),
        (DATA[:1], "another size than 4x3"),
        (DATA[:-1], "another size than 4x3"),
        (DATA + b"\0", "another size than 4x3"),
        (b"\0" + zlib.compress(bytes(11)), "another size than 4x3"),
        (b"\0" + zlib.compress(bytes(13)), "another size than 4x3"),
        (b"\0no deflate data", "broken deflate data"),
        (DATA[:-1] + bytes([DATA[-1] ^ 1]), "broken deflate data"),
    ],
)
def test_broken_alpha_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        alpha.decompress(data, 3, 4)


@settings(max_examples=300)
@given(st.binary(max_size=100), sizes)
def test_random_bytes_give_a_plane_or_a_format_error(data: bytes, size: tuple[int, int]) -> None:
    for name in alpha.FILTERS:
        with suppress(FormatError):
            assert alpha.decompress(bytes([name]) + data, *size).shape == size


def test_a_bomb_is_inflated_no_further_than_the_plane() -> None:
    bomb = b"\0" + zlib.compress(bytes(50_000_000), 9)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="another size"):
            alpha.decompress(bomb, 10, 10)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
