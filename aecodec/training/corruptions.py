"""What images suffer: noise and JPEG artefacts to remove, holes to fill. Composable, and a function of the generator's seed.

    gaussian:25              noise of σ = 25 levels, clipped to 0..255
    gaussian:0-55            σ drawn anew for each image
    gaussian:25,jpeg:10-50   one of the two, drawn anew for each image

Several are applied one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ..arrays import Mask
from ..errors import UsageError
from ..picture.filling import fill, read_mask
from .task import Pixels

Generator = np.random.Generator
READ_NOISE = 0.25
"""σ of the Gaussian part of `poisson_gaussian`, of that of a white pixel."""


class Corrupted(NamedTuple):
    """An image (H, W, 3) uint8, and which of its pixels (H, W) are missing, filled by `filling.fill`."""

    pixels: Pixels
    missing: Mask


def gaussian(x: Pixels, sigma: float, rng: Generator) -> Pixels:
    """Additive noise of ``sigma`` levels."""
    return _noisy(x, sigma, rng)


def poisson_gaussian(x: Pixels, sigma: float, rng: Generator) -> Pixels:
    """Noise of a sensor: its variance grows with the light, up to ``sigma``² levels² in white, and a part is always there."""
    return _noisy(x, sigma * np.sqrt(x / np.float32(255) + READ_NOISE**2), rng)


def salt_and_pepper(x: Pixels, percent: float, rng: Generator) -> Pixels:
    """So many percent of the pixels are black or white."""
    hit = rng.random(x.shape[:2]) < percent / 100
    white = rng.random(x.shape[:2]) < 0.5
    return np.where(hit[:, :, None], np.where(white, 255, 0).astype(np.uint8)[:, :, None], x)


def jpeg(x: Pixels, quality: float, rng: Generator) -> Pixels:
    """Once through JPEG 4:2:0."""
    file = BytesIO()
    Image.fromarray(x).save(file, "JPEG", quality=round(quality))
    return np.asarray(Image.open(file))


def rectangles(height: int, width: int, percent: float, rng: Generator) -> Mask:
    """Rectangles of up to half of the shorter side, until so many percent are missing."""

    def rectangle(draw: ImageDraw.ImageDraw) -> None:
        h, w = rng.integers(4, max(5, min(height, width) // 2), 2)
        top, left = rng.integers(-h // 2, height), rng.integers(-w // 2, width)
        draw.rectangle((int(left), int(top), int(left + w), int(top + h)), fill=1)

    return _until(height, width, percent, rectangle)


def strokes(height: int, width: int, percent: float, rng: Generator) -> Mask:
    """Strokes of a pen 4 to 16 pixels wide, until so many percent are missing."""

    def stroke(draw: ImageDraw.ImageDraw) -> None:
        points = rng.random((1, 2)) * (width, height) + np.cumsum(rng.normal(0, 24, (rng.integers(2, 8), 2)), 0)
        thickness = int(rng.integers(4, 17))
        draw.line([tuple(point) for point in points], fill=1, width=thickness, joint="curve")

    return _until(height, width, percent, stroke)


def crosshair(height: int, width: int, thickness: float, rng: Generator) -> Mask:
    """A horizontal and a vertical line through the whole image that meet in its middle half, so many pixels thick."""
    mask = np.zeros((height, width), np.bool_)
    row, column = (int(extent * rng.uniform(0.25, 0.75)) for extent in (height, width))
    start, stop = -int(thickness // 2), -int(thickness // 2) + round(thickness)
    mask[max(0, row + start) : row + stop] = True
    mask[:, max(0, column + start) : column + stop] = True
    return mask


def random_pixels(height: int, width: int, percent: float, rng: Generator) -> Mask:
    """So many percent of the pixels, here and there."""
    return rng.random((height, width)) < percent / 100


class Kind(NamedTuple):
    """A row of the tables below."""

    least: float
    most: float
    amount: str
    """what the number says"""


NOISES: dict[str, tuple[Callable[[Pixels, float, Generator], Pixels], Kind]] = {
    "gaussian": (gaussian, Kind(0, 255, "sigma in levels")),
    "poisson": (poisson_gaussian, Kind(0, 255, "sigma in levels of a white pixel")),
    "salt-pepper": (salt_and_pepper, Kind(0, 100, "percent")),
    "jpeg": (jpeg, Kind(1, 100, "quality")),
}
HOLES: dict[str, tuple[Callable[[int, int, float, Generator], Mask], Kind]] = {
    "rectangles": (rectangles, Kind(0, 80, "percent")),
    "strokes": (strokes, Kind(0, 80, "percent")),
    "crosshair": (crosshair, Kind(1, 100, "pixels")),
    "pixels": (random_pixels, Kind(0, 99, "percent")),
}
"""By their names on the command line; beside these there is mask:FILE."""


@dataclass(frozen=True)
class Corruption:
    """One kind, at an amount drawn from low..high."""

    kind: str
    low: float
    high: float

    @property
    def makes_holes(self) -> bool:
        """Whether pixels go missing, instead of changing."""
        return self.kind in HOLES

    def __call__(self, state: Corrupted, rng: Generator) -> Corrupted:
        """The next state of an image."""
        amount = float(rng.uniform(self.low, self.high))
        if self.kind in NOISES:
            return state._replace(pixels=NOISES[self.kind][0](state.pixels, amount, rng))
        height, width = state.missing.shape
        return state._replace(missing=state.missing | HOLES[self.kind][0](height, width, amount, rng))


@dataclass(frozen=True, eq=False)
class MaskImage:
    """White pixels of an image are missing; a random part of it if it is larger than what it is for, else stretched."""

    name: str
    mask: Mask
    makes_holes = True

    def __call__(self, state: Corrupted, rng: Generator) -> Corrupted:
        """The next state of an image."""
        height, width = state.missing.shape
        mask = self.mask
        if mask.shape[0] < height or mask.shape[1] < width:
            mask = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        top, left = rng.integers(mask.shape[0] - height + 1), rng.integers(mask.shape[1] - width + 1)
        return state._replace(missing=state.missing | mask[top : top + height, left : left + width])


Step = Sequence[Corruption | MaskImage]
"""One of these is applied."""


def corrupt(pixels: Pixels, steps: Sequence[Step], rng: Generator) -> Corrupted:
    """Apply one corruption of each step; what is missing in the end is filled smoothly."""
    state = Corrupted(pixels, np.zeros(pixels.shape[:2], np.bool_))
    for step in steps:
        state = step[int(rng.integers(len(step)))](state, rng)
    return state._replace(pixels=fill(state.pixels, state.missing))


def parse(text: str) -> Step:
    """One step from its text; see the head of this file.

    Raises:
        UsageError: a name is unknown, or a number missing or out of range.
        FormatError: a mask can't be read.
    """
    return [_parse_one(part.strip()) for part in text.split(",")]


def _parse_one(text: str) -> Corruption | MaskImage:
    name, _, amount = text.partition(":")
    if name == "mask":
        return MaskImage(amount, read_mask(Path(amount)))
    kinds = {known: kind for known, (_, kind) in (*NOISES.items(), *HOLES.items())}
    if name not in kinds:
        raise UsageError(f"corruption {name!r} is unknown, possible are {', '.join(kinds)} and mask:FILE")
    kind = kinds[name]
    try:
        low, high = (float(end) for end in (amount.split("-") if "-" in amount else (amount, amount)))
    except ValueError:
        raise UsageError(
            f"corruption {text!r}: needs {kind.amount} as a number or a range, like {name}:20 or {name}:10-50"
        ) from None
    if not kind.least <= low <= high <= kind.most:
        raise UsageError(f"corruption {text!r}: {kind.amount} must be within {kind.least:g}-{kind.most:g}, and rise")
    return Corruption(name, low, high)


def _until(height: int, width: int, percent: float, draw_one: Callable[[ImageDraw.ImageDraw], None]) -> Mask:
    """Draw until so many percent of an empty mask are set."""
    image = Image.new("1", (width, height))
    draw = ImageDraw.Draw(image)
    mask: Mask = np.asarray(image)
    while 100 * mask.mean() < percent:
        draw_one(draw)
        mask = np.asarray(image)
    return mask


def _noisy(x: Pixels, sigma: float | npt.NDArray[np.floating], rng: Generator) -> Pixels:
    """Gaussian noise of one σ or of one for each sample, rounded and clipped."""
    noise = np.multiply(rng.standard_normal(x.shape, np.float32), sigma, dtype=np.float32)
    return np.clip(np.round(x + noise), 0, 255).astype(np.uint8)
