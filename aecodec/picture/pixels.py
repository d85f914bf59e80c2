"""Samples of every depth, and Pillow images of every mode → 8-bit planes of color and alpha, with a note on what is lost.

Gray stays gray and alpha stays alpha, fully opaque alpha too. Palettes and PNG's transparent color become planes without loss.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..arrays import Array, Pixels
from ..errors import FormatError

Plane = npt.NDArray[np.uint8]
AnyArray = npt.NDArray[Any]

DAMAGED_GRAY = 128
"""What is shown where nothing is known."""

STRIP = 256
"""Rows that are copied out of Pillow's memory at a time."""

FROM_16_BIT: Plane = ((np.arange(1 << 16, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
"""16-bit sample → the nearest 8-bit one."""

PLANE_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA",
    "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA",
    "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB",
}  # fmt: skip
"""Pillow's modes of 8 bits or less → the mode whose bands are our planes. P depends on its palette."""

RAW_KEY_SCALE = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}
"""PNG's transparent color is stored at the depth of the file, and Pillow leaves it there: what brings it to 8 bits."""


def reduced(samples: AnyArray) -> tuple[Plane, str]:
    """uint8, bool, uint16 or floats in 0..1 → uint8 and a note, "" if nothing is lost. Raises FormatError for others."""
    match samples.dtype.kind, samples.dtype.itemsize:
        case "u", 1:
            return samples, ""
        case "b", _:
            return samples * np.uint8(255), ""
        case "u", 2:
            return FROM_16_BIT[samples], "16 bit reduced to 8"
        case "f", _:
            return _from_float(samples, peak=1)
    raise FormatError(f"samples are {samples.dtype}, must be uint8, uint16, bool or floats in 0..1")


def split(samples: Plane) -> tuple[Plane, Plane | None]:
    """(H, W) or (H, W, C) → color (H, W) or (H, W, 3), and alpha (H, W) if C is 2 or 4."""
    if samples.ndim == 2:
        return np.ascontiguousarray(samples), None
    bands = samples.shape[2]
    color = samples[:, :, :3] if bands > 2 else samples[:, :, 0]
    return np.ascontiguousarray(color), None if bands % 2 else np.ascontiguousarray(samples[:, :, -1])


def raw_mode(image: Image.Image) -> str:
    """How the file stores its samples, e.g. "RGB;16B"; "" if that isn't known. Pillow forgets it when the pixels are loaded."""
    for codec, _, _, args in getattr(image, "tile", ()):
        if codec.startswith("ppm") and args[1] > 255:
            return f"{args[0]};16B"
        return args if isinstance(args, str) else next((arg for arg in args or () if isinstance(arg, str)), "")
    return ""


def planes(image: Image.Image, raw: str) -> tuple[Plane, Plane | None, list[str]]:
    """Color, alpha and notes of a loaded image, whose `raw_mode` was `raw`. Raises FormatError for values out of range."""
    key = image.info.get("transparency")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        color, note = _deep_gray(values)
        return color, _alpha_of_key(values, key), [note]
    notes = ["16 bit reduced to 8"] if ";16" in raw and not raw.startswith("BGR") else []  # BGR;16 is 5, 6 and 5 bits
    converted, note = _convert(image)
    color, alpha = split(_to_array(converted))
    if image.mode in ("P", "PA") or raw == "LA;16B":  # what may be gray that Pillow made RGB
        color = _gray_if_equal(color)
    if image.mode in ("1", "L", "RGB"):
        alpha = _alpha_of_key(color, key, RAW_KEY_SCALE.get(raw, 1))
    return color, alpha, [*notes, note] if note else notes


def _to_array(image: Image.Image) -> Plane:
    """The bands of an 8-bit image; by strips, because Pillow's array interface copies all that it gives twice."""
    width, height = image.size
    bands = len(image.getbands())
    samples = np.empty((height, width, bands) if bands > 1 else (height, width), np.uint8)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        samples[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return samples


def _deep_gray(values: AnyArray) -> tuple[Plane, str]:
    """Modes I;16 (uint16), I (int32) and F (float32) → gray and a note."""
    if values.dtype.kind == "f":
        return _from_float(values, peak=1 if values.max() <= 1 else 255)
    if values.dtype.kind == "i":
        low, high = values.min(), values.max()
        if low < 0 or high > 65535:
            raise FormatError(f"samples are {low}..{high}, must lie in 0..65535")
        values = values.astype(np.uint16)
    return reduced(values)


def _from_float(samples: AnyArray, peak: int) -> tuple[Plane, str]:
    low, high = samples.min(), samples.max()
    if not (low >= 0 and high <= peak):  # not a number fails, too
        raise FormatError(f"samples are {low:g}..{high:g}, must lie in 0..{peak}")
    return np.rint(np.multiply(samples, 255 / peak, dtype=np.float32)).astype(np.uint8), f"floats in 0..{peak} reduced to 8 bit"


def _gray_if_equal(color: Plane) -> Plane:
    """(H, W, 3) → (H, W) if all colors are gray."""
    gray = np.ascontiguousarray(color[:, :, 0])
    return gray if np.array_equal(gray, color[:, :, 1]) and np.array_equal(gray, color[:, :, 2]) else color


def _alpha_of_key(values: AnyArray, key: object, scale: float = 1) -> Plane | None:
    """Alpha of an image in which one color is transparent (PNG's tRNS, GIF); None without such a color."""
    if not isinstance(key, int | tuple):
        return None
    matches = values == (np.array(key) * scale).astype(np.int64)
    if values.ndim == 3:
        matches = matches.all(axis=2)
    return np.where(matches, np.uint8(0), np.uint8(255))


def _convert(image: Image.Image) -> tuple[Image.Image, str]:
    """To one of the modes L, LA, RGB, RGBA, and a note if the color space changes."""
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB"), ""
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        return _cmyk_to_srgb(image, image.info["icc_profile"])
    if image.mode not in PLANE_MODES:
        raise FormatError(f"mode {image.mode} is not supported")
    mode = PLANE_MODES[image.mode]
    note = f"{image.mode} converted to RGB" if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else ""
    return image if mode == image.mode else image.convert(mode), note


def _cmyk_to_srgb(image: Image.Image, icc: bytes) -> tuple[Image.Image, str]:
    """Relative colorimetric with black point compensation; without the profile if it is not a usable one."""
    from PIL import ImageCms  # rarely needed, slow to import

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(icc)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            "CMYK",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB"), "CMYK converted to RGB without its ICC profile, which is not usable"
    return transform.apply(image), "CMYK converted to sRGB through its ICC profile"


def to_8bit(x_hat: Array) -> Pixels:
    """Floats, nominally in [0, 1] → uint8, rounded and clamped."""
    levels: Pixels = np.clip(x_hat * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return levels
