"""Photographs in memory, and random patches of them.

Every image is decoded once, to uint8 (three bytes a pixel: 262 megapixels take 0.8 GB), so that a batch costs a copy of its crops
and the model never waits for a decoder.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..errors import AecError

Pixels = npt.NDArray[np.uint8]

DOWNSCALE_CHANCE = 0.25
DOWNSCALE_MIN = 0.6


class DataError(AecError):
    """A folder has nothing to train on; the message says what was found."""

    exit_code = 3


def find_images(folder: Path) -> list[Path]:
    """All files below a folder whose suffix Pillow can read, sorted."""
    Image.init()
    readable = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in readable)


def load_image(path: Path) -> Pixels:
    """(H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def load_folder(folder: Path, min_side: int, progress: bool = True) -> dict[str, Pixels]:
    """Every readable image of at least ``min_side`` on both sides, by its path below the folder; others are named and skipped."""
    paths = find_images(folder)
    images: dict[str, Pixels] = {}

    def attempt(path: Path) -> Pixels | str:
        try:
            return load_image(path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        loaded = pool.map(attempt, paths)
        for path, pixels in tqdm(zip(paths, loaded, strict=True), "reading", len(paths), unit="img", disable=not progress):
            name = path.relative_to(folder).as_posix()
            if isinstance(pixels, str):
                tqdm.write(f"skipped {name}: {pixels}", file=sys.stderr)
            elif min(pixels.shape[:2]) < min_side:
                tqdm.write(f"skipped {name}: {pixels.shape[1]}x{pixels.shape[0]} is under {min_side} pixels", file=sys.stderr)
            else:
                images[name] = pixels
    if not images:
        raise DataError(f"{folder}: none of {len(paths)} images can be used (at least {min_side} pixels on each side)")
    return images


class PatchSampler:
    """Random square patches, images chosen by their area; batch ``step`` is always the same for one seed."""

    def __init__(self, images: list[Pixels], seed: int) -> None:
        self.images = images
        self.seed = seed
        area = np.array([float(image.shape[0] * image.shape[1]) for image in images])
        self.share = area / area.sum()

    def batch(self, step: int, size: int, patch: int) -> Tensor:
        """(size, 3, patch, patch) float32 in [0, 1], channels last in memory."""
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.choice(len(self.images), size, p=self.share)
        patches = np.stack([self._patch(self.images[i], patch, rng) for i in chosen])
        return torch.from_numpy(patches).permute(0, 3, 1, 2).float().div_(255)

    def _patch(self, image: Pixels, patch: int, rng: np.random.Generator) -> Pixels:
        side = patch
        if rng.random() < DOWNSCALE_CHANCE:
            side = min(round(patch / rng.uniform(DOWNSCALE_MIN, 1)), *image.shape[:2])
        top, left = (int(rng.integers(extent - side + 1)) for extent in image.shape[:2])
        crop = image[top : top + side, left : left + side]
        if side != patch:
            crop = np.asarray(Image.fromarray(crop).resize((patch, patch), Image.Resampling.LANCZOS))
        flips = rng.integers(8)
        if flips & 1:
            crop = crop[::-1]
        if flips & 2:
            crop = crop[:, ::-1]
        return crop.transpose(1, 0, 2) if flips & 4 else crop
