"""Crops for the side-by-side viewer: one window of an image from every codec, each file as near to the same bytes as it gets.

Crops are stored without loss (WebP lossless), one small JSON a crop, so that a second report needs only what is new.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..atomic import write_text
from .codecs import Codec, Pixels
from .metrics import psnr
from .runner import Run, Source, read

SIDE = 320
IMAGES = 4
RATES = (0.2, 0.5)
"""Bits per pixel of the whole file: where codecs can be told apart by eye, and where they should all look fair."""
NEAR_ENOUGH = 0.01
MAX_ENCODES = 6

Window = tuple[int, int, int, int]
"""left, top, right, bottom."""


@dataclass(frozen=True)
class Crop:
    """A window of a decoded file. ``webp`` is base64; ``bytes`` and ``psnr`` are those of the whole image."""

    quality: float
    bytes: int
    psnr: float
    webp: str


def spread(sources: Sequence[Source], count: int = IMAGES) -> list[Source]:
    """A few images, evenly spaced over the folder."""
    count = min(count, len(sources))
    return [sources[round(index * (len(sources) - 1) / max(count - 1, 1))] for index in range(count)]


def telling_window(pixels: Pixels, side: int = SIDE) -> Window:
    """Where artefacts show: the window with most strong edges beside most flat area."""
    luma = pixels.astype(np.float32).mean(axis=2)
    height, width = luma.shape
    side_y, side_x = min(side, height), min(side, width)
    slope = np.hypot(*np.gradient(luma))

    def share(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], top: int, left: int) -> float:
        return float(mask[top : top + side_y, left : left + side_x].mean())

    edges, flat = slope > 16, slope < 3
    places = [(top, left) for top in _starts(height, side_y) for left in _starts(width, side_x)]
    top, left = max(places, key=lambda place: share(edges, *place) * share(flat, *place))
    return left, top, left + side_x, top + side_y


def _starts(length: int, side: int) -> range:
    return range(0, length - side + 1, max(side // 5, 1))


def at_bytes(codec: Codec, pixels: Pixels, target: int, known: Sequence[tuple[float, int]]) -> tuple[float, bytes]:
    """The quality whose file comes closest to ``target`` bytes, and that file.

    ``known`` are measured (quality, bytes). Between the two that enclose the target, the logarithm of the bytes is close to
    linear in the quality: interpolate, encode, narrow down, until a file is within 1 % or there is no quality in between.
    """
    sizes, files = dict(known), dict[float, bytes]()

    def distance(quality: float) -> float:
        return abs(math.log(sizes[quality] / target))

    for _ in range(MAX_ENCODES):
        below = [quality for quality, size in sizes.items() if size <= target]
        above = [quality for quality, size in sizes.items() if size > target]
        if not below or not above or min(map(distance, sizes)) < NEAR_ENOUGH:
            break
        low, high = max(below, key=sizes.__getitem__), min(above, key=sizes.__getitem__)
        quality = low + (high - low) * math.log(target / sizes[low]) / math.log(sizes[high] / sizes[low])
        if codec.whole_qualities:
            first, last = min(low, high) + 1, max(low, high) - 1
            if first > last:
                break
            quality = min(max(float(round(quality)), first), last)
        files[quality] = codec.encode(pixels, quality)
        sizes[quality] = len(files[quality])
    best = min(sizes, key=distance)
    return best, files[best] if best in files else codec.encode(pixels, best)


def crops(run: Run, codecs: Sequence[Codec], images: Sequence[str], cache: Path) -> Iterator[Callable[[], dict[str, object]]]:
    """One piece of work an image of the viewer; each gives what the page needs of that image.

    ``{"image", "width", "height", "window", "original": webp, "rates": [{"bytes", "bpp", "codecs": {name: Crop}}]}``
    """
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n")
    for source in spread([source for source in run.sources if source.name in images]):
        yield lambda source=source: _of_image(run, codecs, source, cache)  # type: ignore[misc]


def _of_image(run: Run, codecs: Sequence[Codec], source: Source, cache: Path) -> dict[str, object]:
    pixels = read(source.path)
    window = telling_window(pixels)
    rates = []
    for bpp in RATES:
        target = max(round(bpp * source.width * source.height / 8), 1)
        cropped = {codec.name: asdict(_cached(run, codec, source, pixels, window, target, cache)) for codec in codecs}
        rates.append({"bytes": target, "bpp": bpp, "codecs": cropped})
    return {
        "image": source.name,
        "width": source.width,
        "height": source.height,
        "window": window,
        "original": _webp(pixels, window),
        "rates": rates,
    }


def _cached(run: Run, codec: Codec, source: Source, pixels: Pixels, window: Window, target: int, cache: Path) -> Crop:
    key = json.dumps([source.sha256, codec.name, codec.settings, codec.version(), window, target])
    path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if path.exists():
        return Crop(**json.loads(path.read_text()))
    rows = [run.rows[source.name, codec.name, quality] for quality in run.qualities[codec.name]]
    quality, data = at_bytes(codec, pixels, target, [(row.quality, row.bytes) for row in rows])
    decoded = codec.decode(data)
    crop = Crop(quality, len(data), psnr(pixels.astype(np.float32), decoded.astype(np.float32)), _webp(decoded, window))
    write_text(path, json.dumps(asdict(crop)))
    return crop


def _webp(pixels: Pixels, window: Window) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).crop(window).save(
        stream, "WEBP", lossless=True, quality=50, method=4
    )  # 1 % larger than the most thorough mode, 70 times faster
    return base64.b64encode(stream.getvalue()).decode()
