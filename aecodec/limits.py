"""What a file may ask of the machine, checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on input, the same for .aec files and for the images that become one. Raise them deliberately."""

    pixels: int = 1 << 28
    """268 million: 16384×16384."""
    side: int = 65_535
    """Pixels of width or height."""
    metadata_bytes: int = 16 << 20
    """Bytes of ICC, EXIF and XMP together."""
