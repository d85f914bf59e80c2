"""Photographs in memory, and random patches of them.

Every image is decoded once, to uint8 (three bytes a pixel: 262 megapixels take 0.8 GB), so that a batch costs a copy of its crops
and the model never waits for a decoder.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..errors import AecError
from .task import WHOLE, Pixels, places

DOWNSCALE_CHANCE = 0.75
DOWNSCALE_MIN = 0.5


class DataError(AecError):
    """A folder has nothing to train on; the message says what was found."""

    exit_code = 3


def find_images(source: Path) -> dict[str, Callable[[], bytes]]:
    """All files below a folder, or in a zip file, whose suffix Pillow can read: sorted names, and how to read each.

    Raises:
        DataError: a file is no zip file.
    """
    Image.init()
    readable = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.is_file())
        files = {path.relative_to(source).as_posix(): path.read_bytes for path in paths}
    else:
        try:
            archive = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{source}: neither a folder nor a zip file ({error})") from error
        files = {name: partial(archive.read, name) for name in sorted(archive.namelist()) if not name.endswith("/")}
    return {name: read for name, read in files.items() if PurePosixPath(name).suffix.lower() in readable}


def decode(data: bytes) -> Pixels:
    """An image file as (H, W, 3) uint8."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def load_images(source: Path, min_side: int, progress: bool = True) -> dict[str, Pixels]:
    """Every readable image of at least ``min_side`` on both sides, by its name in the folder or zip; others are told and skipped.

    Raises:
        DataError: there is none.
    """
    files = find_images(source)
    images: dict[str, Pixels] = {}

    def attempt(read: Callable[[], bytes]) -> Pixels | str:
        try:
            return decode(read())
        except (OSError, ValueError, SyntaxError, zipfile.BadZipFile, RuntimeError, Image.DecompressionBombError) as error:
            return " ".join(str(error).split())

    with ThreadPoolExecutor(4) as pool:
        loaded = pool.map(attempt, files.values())
        for name, pixels in tqdm(zip(files, loaded, strict=True), "reading", len(files), unit="img", disable=not progress):
            if isinstance(pixels, str):
                tqdm.write(f"skipped {name}: {pixels}", file=sys.stderr)
            elif min(pixels.shape[:2]) < min_side:
                tqdm.write(f"skipped {name}: {pixels.shape[1]}x{pixels.shape[0]} is under {min_side} pixels", file=sys.stderr)
            else:
                images[name] = pixels
    if not images:
        raise DataError(f"{source}: none of {len(files)} images can be used (at least {min_side} pixels on each side)")
    return images


@dataclass(frozen=True)
class Photographs:
    """What is learned from, and the few images kept apart to validate on; by name."""

    source: Path
    training: Mapping[str, Pixels]
    validation: Mapping[str, Pixels]

    @classmethod
    def load(cls, source: Path, min_side: int, validation: int = 8, progress: bool = True) -> Photographs:
        """Of a folder or zip, at most ``validation`` images, and at most a tenth, spread over all, are kept apart.

        Raises:
            DataError: fewer than two images can be used.
        """
        images = load_images(source, min_side, progress)
        if len(images) < 2:
            raise DataError(
                f"{source}: only {next(iter(images))} can be used, and two images are needed to validate on another one"
            )
        held_out = max(1, min(validation, len(images) // 10))
        names = list(images)[:: len(images) // held_out][:held_out]
        kept = {name: images.pop(name) for name in names}
        return cls(source, images, kept)

    def describe(self) -> dict[str, Any]:
        """For config.json."""
        return {"data": str(self.source), "images": len(self.training), "validation": list(self.validation)}


class Square(NamedTuple):
    """Where a patch is from: the pixels [top, top + side) × [left, left + side) of an image."""

    image: int
    side: int
    top: int
    left: int
    flips: int
    """bits: up and down, left and right, rows and columns"""


class PatchSampler:
    """Random square patches, images chosen by their area; batch ``step`` is always the same for one seed."""

    def __init__(self, images: Mapping[str, Pixels], seed: int) -> None:
        self.names, self.images = list(images), list(images.values())
        self.seed = seed
        area = np.array([float(image.shape[0] * image.shape[1]) for image in self.images])
        self.share = area / area.sum()

    def batch(self, step: int, size: int, patch: int, part: slice = WHOLE) -> tuple[Tensor, list[str]]:
        """Patches, and where in which image each is from.

        Returns:
            (B, 3, patch, patch) float32 in [0, 1], channels last in memory, of which B is ``size``, or what ``part`` is of it;
            and their names.
        """
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.choice(len(self.images), size, p=self.share)
        drawn = [self._square(int(i), patch, rng) for i in chosen]  # all, which takes next to nothing; only the part is cut
        squares = [drawn[place] for place in places(size, part)]
        patches = np.stack([self._cut(square, patch) for square in squares])
        names = [f"{self.names[s.image]} {s.side}x{s.side}+{s.left}+{s.top}" for s in squares]
        return torch.from_numpy(patches).permute(0, 3, 1, 2).float().div_(255), names

    def _square(self, index: int, patch: int, rng: np.random.Generator) -> Square:
        extents = self.images[index].shape[:2]
        side = patch
        if rng.random() < DOWNSCALE_CHANCE:
            side = min(round(patch / rng.uniform(DOWNSCALE_MIN, 1)), *extents)
        top, left = (int(rng.integers(extent - side + 1)) for extent in extents)
        return Square(index, side, top, left, int(rng.integers(8)))

    def _cut(self, square: Square, patch: int) -> Pixels:
        crop = self.images[square.image][square.top : square.top + square.side, square.left : square.left + square.side]
        if square.side != patch:
            crop = np.asarray(Image.fromarray(crop).resize((patch, patch), Image.Resampling.LANCZOS))
        if square.flips & 1:
            crop = crop[::-1]
        if square.flips & 2:
            crop = crop[:, ::-1]
        return crop.transpose(1, 0, 2) if square.flips & 4 else crop


def middle(image: Pixels, side: int = 512) -> Pixels:
    """The middle of an image, at most ``side`` pixels on each side and a multiple of 64, for the networks to validate on."""
    height, width = (min(side, extent // 64 * 64) for extent in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def to_tensor(image: Pixels) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().div(255)


def to_pixels(x: Tensor) -> Pixels:
    """(1, 3, H, W), clamped to [0, 1] → (H, W, 3) uint8."""
    levels: Pixels = x[0].clamp(0, 1).mul(255).round().permute(1, 2, 0).byte().contiguous().numpy()
    return levels
