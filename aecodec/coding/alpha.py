"""Lossless alpha: a PNG-like difference filter for the whole plane, then deflate. The first byte names the filter."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from ..arrays import Pixels
from ..errors import FormatError
from ..format.container import Container
from .grid import Region

Plane = npt.NDArray[np.uint8]

FILTERS: dict[int, tuple[int, ...]] = {0: (), 1: (1,), 2: (0,), 3: (0, 1)}
"""Filter id → axes along which neighbours are subtracted, modulo 256: none, left, up, both."""


def compress(plane: Plane) -> bytes:
    """(H, W) uint8 → the smallest of the filters' results."""
    candidates = []
    for name, axes in FILTERS.items():
        filtered = plane
        for axis in axes:
            filtered = np.diff(filtered, axis=axis, prepend=np.uint8(0))
        candidates.append(bytes([name]) + zlib.compress(filtered.tobytes(), 9))
    return min(candidates, key=len)


def decompress(data: bytes, height: int, width: int) -> Plane:
    """The inverse of `compress`; raises FormatError, and never inflates beyond the plane."""
    if not data or data[0] not in FILTERS:
        raise FormatError(f"alpha: filter is {data[0] if data else 'missing'}, allowed 0..{len(FILTERS) - 1}")
    inflater = zlib.decompressobj()
    size = height * width
    try:
        raw = inflater.decompress(data[1:], size + 1)
    except zlib.error as error:
        raise FormatError(f"alpha: broken deflate data ({error})") from error
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise FormatError(f"alpha: inflates to another size than {width}x{height}")
    plane: Plane = np.frombuffer(raw, np.uint8).reshape(height, width)
    for axis in reversed(FILTERS[data[0]]):
        plane = np.cumsum(plane, axis=axis, dtype=np.uint8)
    return plane


def alpha_of(content: Container, region: Region) -> tuple[Pixels | None, list[str]]:
    """The alpha (H, W) of a region, None in modes without it, and what there is to say of it."""
    if not content.header.mode.endswith("A"):
        return None, []
    x, y, width, height = region
    if content.alpha is None:  # only with allow_partial
        return np.full((height, width), 255, np.uint8), ["alpha is damaged, shown opaque"]
    plane = decompress(content.alpha, content.header.height, content.header.width)
    return plane[y : y + height, x : x + width], []
