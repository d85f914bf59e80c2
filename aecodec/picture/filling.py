"""Missing pixels: masks that say which, and a first guess at them that the encoder starts from when it inpaints. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..arrays import Mask
from ..errors import FormatError

Floats = npt.NDArray[np.float32]

GRAY = 128.0


def fill(color: npt.NDArray[np.uint8], missing: Mask) -> npt.NDArray[np.uint8]:
    """Give missing pixels (H, W) of color (H, W) or (H, W, 3) averages of known ones, finer towards the edge of a hole.

    Push and pull through a pyramid of halved images (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4). Known pixels
    stay.
    """
    if not missing.any():
        return color
    planes = np.atleast_3d(color).astype(np.float32)
    filled = np.round(_fill(planes, ~missing)).astype(np.uint8).reshape(color.shape)
    return np.where(missing.reshape(missing.shape + (1,) * (color.ndim - 2)), filled, color)


def read_mask(path: Path) -> Mask:
    """An image file as a mask (H, W): white, or rather 128 and more, is missing.

    Raises:
        FormatError: it can't be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) >= 128
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"mask {path}: {' '.join(str(error).split())}") from error


def _fill(color: Floats, known: Mask) -> Floats:
    """(H, W, C), of which known (H, W) count."""
    height, width = known.shape
    if known.all():
        return color
    if height == width == 1:
        return np.full_like(color, GRAY)
    padding = ((0, height % 2), (0, width % 2))
    weight = np.pad(known, padding).astype(np.float32)[:, :, None]
    weighted = np.pad(color, (*padding, (0, 0))) * weight
    count = _sum_of_four(weight)
    coarse = _fill(np.divide(_sum_of_four(weighted), np.maximum(count, 1), dtype=np.float32), count[:, :, 0] > 0)
    smooth = _double(_double(coarse, height).swapaxes(0, 1), width).swapaxes(0, 1)
    return np.where(known[:, :, None], color, smooth)


def _sum_of_four(a: Floats) -> Floats:
    """(2H, 2W, C) → (H, W, C)."""
    return a[0::2, 0::2] + a[1::2, 0::2] + a[0::2, 1::2] + a[1::2, 1::2]


def _double(a: Floats, rows: int) -> Floats:
    """Twice the rows, interpolated linearly, cut to ``rows``."""
    edged = np.concatenate([a[:1], a, a[-1:]])
    doubled = np.empty((2 * len(a), *a.shape[1:]), np.float32)
    doubled[0::2] = 0.75 * a + 0.25 * edged[:-2]
    doubled[1::2] = 0.75 * a + 0.25 * edged[2:]
    return doubled[:rows]
