"""Image files and Pillow images ↔ `Picture`, the planes and metadata that the codec takes and gives.

Pixels are not rotated and the EXIF orientation tag stays as it is, so whoever shows the picture applies it, once. TIFF is the
exception that keeps this true: Pillow rotates its pixels when it reads them, and takes the tag away.
"""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from ..errors import AecError, FormatError, LimitError, UsageError
from ..limits import Limits
from . import metadata, pixels
from .pixels import AnyArray, Plane

NO_PICTURES = {"AEC", "BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow recognizes but doesn't decode by itself, and our own."""

BROKEN = (
    ArithmeticError, AssertionError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's readers raise at broken content (found with 50,000 mutated files of 26 formats); the rest is a defect"""


@dataclass(frozen=True, eq=False)
class Picture:
    """What the codec takes and gives. Raises FormatError if the planes don't fit together."""

    color: Plane
    """(H, W, 3), or (H, W) for gray"""
    alpha: Plane | None = None
    """(H, W), 255 is opaque; colors are not premultiplied"""
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    """any of "icc", "exif", "xmp": raw payloads as in `metadata`"""
    notes: tuple[str, ...] = ()
    """one line each: what was reduced on the way in"""

    def __post_init__(self) -> None:
        color, alpha = self.color, self.alpha
        planes = [color] if alpha is None else [color, alpha]
        shaped = color.ndim > 1 and color.size > 0 and color.shape[2:] in ((), (3,))
        fitting = alpha is None or alpha.shape == color.shape[:2]
        if not (shaped and fitting) or any(plane.dtype != np.uint8 for plane in planes):
            parts = " and ".join(f"{plane.dtype}{plane.shape}" for plane in planes)
            raise FormatError(f"picture: planes are {parts}, must be uint8 (H, W, 3) or (H, W), alpha (H, W)")

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.color.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.color.shape[1])

    @property
    def mode(self) -> str:
        """One of L, LA, RGB, RGBA."""
        return ("L" if self.color.ndim == 2 else "RGB") + ("" if self.alpha is None else "A")


@dataclass(frozen=True)
class Writer:
    """The options that Pillow writes a file format with, and what the format can't do."""

    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: bool = True
    max_side: int = 65_535


WRITERS = {
    "PNG": Writer({"compress_level": 3}),  # against the usual 6: 0.4 % larger on photographs, 2.7 times as fast
    "JPEG": Writer({"quality": 95, "subsampling": "4:4:4"}, alpha=False, max_side=65_500),
    "WEBP": Writer({"lossless": True, "exact": True}, max_side=16_383),
    "AVIF": Writer({"quality": 90, "subsampling": "4:4:4"}),
    "TIFF": Writer({"compression": "raw"}),  # with a compression Pillow fails at the EXIF directory
    "JPEG2000": Writer(),
    "TGA": Writer(),
    "BMP": Writer(alpha=False),
    "PPM": Writer(alpha=False),
}
"""By Pillow's names. JPEG and AVIF lose a little, the others nothing."""

SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF", ".tiff": "TIFF",
    ".jp2": "JPEG2000", ".tga": "TGA", ".bmp": "BMP", ".ppm": "PPM", ".pgm": "PPM", ".pnm": "PPM",
}  # fmt: skip


def as_picture(source: Picture | Image.Image | AnyArray) -> Picture:
    """A Picture, Pillow image or array as a Picture; see `from_image` and `from_array`."""
    if isinstance(source, Picture):
        return source
    return from_image(source) if isinstance(source, Image.Image) else from_array(source)


def from_array(array: AnyArray) -> Picture:
    """(H, W) or (H, W, C) with C = 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.

    uint8 is taken as it is (and may share its memory), bool is black and white, uint16 is scaled from 0..65535, floats from 0..1.
    Raises FormatError for anything else.
    """
    array = np.asarray(array)
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (2,), (3,), (4,)) or 0 in array.shape:
        raise FormatError(f"array: shape is {array.shape}, must be (H, W) or (H, W, 1 to 4), with at least one pixel")
    with _explained("array"):
        samples, note = pixels.reduced(array)
    return Picture(*pixels.split(samples), notes=(note,) if note else ())


def from_image(image: Image.Image) -> Picture:
    """A Pillow image of any mode, with the ICC, EXIF and XMP of its `info`; loads it if that isn't done yet.

    16 bits (modes I;16 and I) are scaled to 8 with rounding. Mode F holds 0..1 or, as Pillow's own conversions have it, 0..255.
    CMYK becomes sRGB through its ICC profile, which is then dropped, since it does not describe RGB. Premultiplied alpha is
    divided out. Of an animation or of several pages the first is taken.
    Raises FormatError for broken content and values out of range.
    """
    with _explained("image"):
        return _from_image(image)


def open_picture(source: Path | BinaryIO, limits: Limits = Limits()) -> Picture:
    """Read an image file of any format that Pillow reads, except EPS, which would run Ghostscript.

    Raises:
        FormatError: the content is not an image, is broken or cut off.
        LimitError: the header asks for more pixels than the limits allow; nothing is decoded then.
        OSError: the file itself can't be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return _read(opened, str(source), limits)
    file: BinaryIO = source if source.seekable() else BytesIO(source.read())
    return _read(file, str(getattr(source, "name", "image")), limits)


def to_image(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA; `info` has icc_profile, exif (prefixed, as Pillow wants it) and xmp."""
    image = Image.fromarray(picture.color)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.info.update(metadata.pillow_info(picture.metadata))
    return image


def is_image(name: str) -> bool:
    """Whether Pillow reads files of this name's suffix; .aec files are not taken for images."""
    kind = Image.registered_extensions().get(Path(name).suffix.lower())
    return kind in Image.OPEN and kind not in NO_PICTURES


def format_of_suffix(path: Path) -> str:
    """Pillow's name of the format to write; raises UsageError if the suffix stands for none."""
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: can't write the suffix {path.suffix!r}, possible are {' '.join(SUFFIXES)}") from None


def write_image(picture: Picture, file: BinaryIO, format: str = "PNG") -> tuple[str, ...]:
    """Write an image file in one of the formats of `WRITERS`; returns a line for each piece of metadata that it can't hold.

    Raises:
        UsageError: the format is unknown, or can't hold an alpha channel or an image of this size.
        OSError: writing failed.
    """
    if format not in WRITERS:
        raise UsageError(f"can't write the format {format!r}, possible are {', '.join(WRITERS)}")
    writer = WRITERS[format]
    if picture.alpha is not None and not writer.alpha:
        raise UsageError(f"{format} can't hold the alpha channel of this image; PNG, WebP, TIFF and AVIF can")
    if max(picture.width, picture.height) > writer.max_side:
        raise UsageError(f"{format} can't hold {picture.width}x{picture.height} pixels, at most {writer.max_side} a side")
    refusals = {kind: metadata.refusal(kind, payload, format) for kind, payload in picture.metadata.items()}
    held = {kind: payload for kind, payload in picture.metadata.items() if not refusals[kind]}
    parameters = {**writer.options, **metadata.save_parameters(held, format)}
    if format == "PNG":
        to_image(picture).save(file, format, **parameters)
    else:  # the other encoders seek, or write to the file descriptor, where the reason of a failure gets lost
        encoded = BytesIO()
        to_image(picture).save(encoded, format, **parameters)
        file.write(encoded.getbuffer())
    return tuple(metadata.left_out(kind, reason) for kind, reason in refusals.items() if reason)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Pillow's many ways to say that content is broken → one line that names it; trouble with the file itself stays OSError."""
    try:
        yield
    except AecError as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:  # TIFF and WebP look at Pillow's limit themselves
        raise LimitError(f"{name}: more pixels than Pillow reads of this format; PIL.Image.MAX_IMAGE_PIXELS raises it") from error
    except BROKEN as error:
        # Pillow's own OSErrors have no number; EINVAL is a seek to where the content pointed.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        detail = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{name}: broken image: {detail}") from error


def _read(file: BinaryIO, name: str, limits: Limits) -> Picture:
    with _explained(name):
        image = _identify(file)
        width, height = image.size
        if width * height > limits.pixels:
            raise LimitError(f"{width}x{height} is {width * height} pixels, limit {limits.pixels}; --max-pixels raises it")
        if max(width, height) > limits.side:
            raise LimitError(f"{width}x{height} pixels, limit {limits.side} a side")
        return _from_image(image)


def _identify(file: BinaryIO) -> ImageFile.ImageFile:
    """What `Image.open` does, but for its pixel limit: that is a global, which all threads share. `Limits` takes its place."""
    file.seek(0)
    prefix = file.read(16)
    if not prefix:
        raise FormatError("the file is empty")
    failure = "not an image of a known format"
    tried = {"EPS"}
    for load_plugins in (Image.preinit, Image.init):  # the common formats first: all of them take a while to import
        load_plugins()
        for format in [name for name in Image.ID if name not in tried]:
            tried.add(format)
            factory, accept = Image.OPEN[format]
            if accept is not None and accept(prefix) is not True:  # a string says why the format is not supported
                continue
            file.seek(0)
            try:
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                if accept is not None:
                    failure = f"broken {format}: {error}"
    raise FormatError(" ".join(failure.split()))


def _from_image(image: Image.Image) -> Picture:
    raw = pixels.raw_mode(image)
    several = ["the first of several images taken"] if getattr(image, "is_animated", False) else []
    image.load()
    color, alpha, notes = pixels.planes(image, raw)
    payloads, left_out = metadata.read(image)
    return Picture(color, alpha, payloads, (*several, *notes, *left_out))
