"""ICC, EXIF and XMP: what a Pillow image carries → raw payloads → what Pillow's `save` takes, and what a format can't hold.

Payloads are kept byte for byte under the names "icc", "exif" and "xmp". EXIF is kept from its TIFF header ("II*" or "MM") on,
without the prefix that JPEG puts before it. A TIFF file has no EXIF payload, it is one: one is made of its descriptive tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

EXIF_PREFIX = b"Exif\0\0"

OLD_PNG_EXIF = "Raw profile type exif"
"""Keyword of a text chunk, from before PNG had a chunk for EXIF: an empty line, the name, the length, then hexadecimal digits."""

XMP_TAG = 700

TIFF_EXIF = (
    Base.ImageDescription, Base.Make, Base.Model, Base.Orientation, Base.XResolution, Base.YResolution, Base.ResolutionUnit,
    Base.Software, Base.DateTime, Base.Artist, Base.HostComputer, Base.Copyright, IFD.Exif, IFD.GPSInfo,
)  # fmt: skip
"""Tags that a TIFF file and an EXIF payload share; the others say how the pixels of one particular file are stored."""

HOLDERS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
"""Formats that Pillow writes metadata to, all three kinds."""

JPEG_MAX = {"icc": 255 * 65_519, "exif": 65_533 - len(EXIF_PREFIX), "xmp": 65_504}
"""Bytes: EXIF and XMP have one marker each, ICC up to 255 of them."""


BROKEN_EXIF = "its structure is broken"


def read(image: Image.Image) -> tuple[dict[str, bytes], list[str]]:
    """The payloads of an image and notes; it must be loaded, since in PNG they may come after the pixels."""
    icc = None if image.mode in ("CMYK", "LAB") else image.info.get("icc_profile")  # it would not describe the RGB planes
    xmp = image.info.get("xmp")
    notes = []
    try:
        exif = _exif(image)
    except Exception:  # whatever the parser stumbles over: it must not cost the picture
        exif = None
        notes.append(left_out("exif", BROKEN_EXIF))
    payloads = {"icc": icc, "exif": exif, "xmp": xmp.encode() if isinstance(xmp, str) else xmp}
    return {kind: payload for kind, payload in payloads.items() if isinstance(payload, bytes) and payload}, notes


def left_out(kind: str, reason: str) -> str:
    """A note."""
    return f"{kind.upper()} left out: {reason}"


def pillow_info(metadata: Mapping[str, bytes]) -> dict[str, bytes]:
    """Under the names that Pillow has for them, in `info` and as parameters of `save`."""
    info = {name: metadata[kind] for kind, name in {"icc": "icc_profile", "xmp": "xmp"}.items() if kind in metadata}
    if "exif" in metadata:
        info["exif"] = EXIF_PREFIX + metadata["exif"]
    return info


def save_parameters(metadata: Mapping[str, bytes], format: str) -> dict[str, Any]:
    """For Pillow's `save`: as in `info`, but for XMP in PNG and for all in TIFF, which are put in by hand."""
    parameters: dict[str, Any] = dict(pillow_info(metadata))
    if format == "PNG" and "xmp" in metadata:
        chunks = PngInfo()
        chunks.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata["xmp"])
        parameters["pnginfo"] = chunks
    if format == "TIFF":
        tags = _parsed(_descriptive(_parsed(metadata.get("exif", b""))))
        if "xmp" in metadata:
            tags[XMP_TAG] = metadata["xmp"]
        parameters["tiffinfo"] = tags
    return parameters


def refusal(kind: str, payload: bytes, format: str) -> str:
    """Why a file format can't hold a payload; "" if it can."""
    if format not in HOLDERS:
        return f"{format} can't hold it"
    if format == "JPEG" and len(payload) > JPEG_MAX[kind]:
        return f"it has {len(payload)} bytes, JPEG holds {JPEG_MAX[kind]}"
    if format in ("TIFF", "AVIF") and kind == "exif" and not _is_readable(payload):
        return BROKEN_EXIF
    return ""


def _exif(image: Image.Image) -> bytes | None:
    exif = image.info.get("exif")
    if exif is None and image.format == "TIFF":
        exif = _descriptive(image.getexif())
    if exif is None and OLD_PNG_EXIF in image.info:
        exif = bytes.fromhex("".join(image.info[OLD_PNG_EXIF].split("\n")[3:]))
    return re.sub(rb"\A(Exif\0\0)+", b"", exif) if isinstance(exif, bytes) else None


def _parsed(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(exif)
    return tags


def _descriptive(tags: Image.Exif) -> bytes:
    """An EXIF payload of the tags in `TIFF_EXIF`; empty if there are none."""
    kept = Image.Exif()
    for tag in TIFF_EXIF:
        if tag in tags:
            kept[tag] = tags.get_ifd(tag) if isinstance(tag, IFD) else tags[tag]
    return kept.tobytes() if kept else b""


def _is_readable(exif: bytes) -> bool:
    """Whether Pillow can take it apart and write it again, as it does for TIFF and AVIF."""
    if not exif.startswith((b"II*\0", b"MM\0*")):
        return False
    try:
        tags = _parsed(exif)
        _descriptive(tags)
        tags.tobytes()
    except Exception:  # whatever the parser stumbles over
        return False
    return isinstance(tags.get(Base.Orientation, 1), int)
