"""What a file says of itself, without the model that decodes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..limits import Limits
from . import container


@dataclass(frozen=True)
class Info:
    """The header of a .aec file and its chunks."""

    width: int
    height: int
    mode: str
    """L, LA, RGB or RGBA"""
    quality: float
    effort: int
    tile: int
    tiles: int
    model: str
    """fingerprint of the weights, hexadecimal"""
    coder: int
    format_version: int
    size_bytes: int
    bpp: float
    """bits of the whole file per pixel"""
    metadata: Mapping[str, int]
    """bytes of icc, exif and xmp, where they are there"""
    chunks: tuple[container.Chunk, ...]

    @property
    def intact(self) -> bool:
        """Whether every checksum holds and the end is there."""
        return all(chunk.intact for chunk in self.chunks) and self.chunks[-1].type == container.END

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        plain = asdict(self)
        plain["chunks"] = [{"name": c.name, "type": c.type, "bytes": c.length, "intact": c.intact} for c in self.chunks]
        return plain


def info(data: bytes, limits: Limits = Limits()) -> Info:
    """Read the header and the list of chunks; nothing is decoded. Raises FormatError or LimitError."""
    header = container.read_header(data, limits)
    chunks = tuple(container.chunks(data))
    names = {kind: name for name, kind in container.METADATA.items()}
    return Info(
        width=header.width,
        height=header.height,
        mode=header.mode,
        quality=header.quality / 100,
        effort=header.effort,
        tile=header.tile,
        tiles=header.tiles,
        model=header.model.hex(),
        coder=header.coder,
        format_version=container.VERSION,
        size_bytes=len(data),
        bpp=8 * len(data) / (header.width * header.height),
        metadata={names[c.type]: c.length for c in chunks if c.type in names},
        chunks=chunks,
    )
