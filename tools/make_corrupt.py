"""Write tests/corrupt/: one small file for each rule of docs/format.md that a file can break, named by the rule.

The bytes are put together here by hand, not by aecodec, so that the files are a witness of their own. Tiles hold made-up bytes:
these files break the container, not the entropy layer. Run it again only to add a rule:

    python tools/make_corrupt.py
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "tests" / "corrupt"

SIGNATURE = b"\xaeAEC"
VERSION = b"\x01"
LARGEST = b"\xff\xff\xff\xff\x0f"
"""2^32 - 1 as a varint."""


def chunk(kind: int, payload: bytes, length: bytes | None = None) -> bytes:
    """A chunk with a checksum that holds, whatever its ``length`` says."""
    body = bytes([kind]) + (bytes([len(payload)]) if length is None else length) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def header(
    width: bytes = b"\x01",
    height: bytes = b"\x01",
    mode: int = 2,
    tile: int = 1,
    quality: int = 7500,
    effort: int = 0,
    coder: int = 4,
    model: bytes = b"no model",
) -> bytes:
    """The header chunk: by default of a 1×1 RGB image."""
    return chunk(1, width + height + struct.pack("<BBHBB", mode, tile, quality, effort, coder) + model)


START = SIGNATURE + VERSION
TILE = chunk(2, b"tile")
ALPHA = chunk(3, b"\x00" + zlib.compress(b"\xff"))
END = chunk(4, b"")
CORRECTION = chunk(5, b"correction")
ICC, EXIF, XMP = chunk(128, b"icc"), chunk(129, b"exif"), chunk(130, b"xmp")

VALID = START + header() + TILE + END

RULES: dict[str, bytes] = {
    "empty": b"",
    "signature-wrong": b"\xaeAED" + VALID[4:],
    "signature-only": SIGNATURE,
    "version-newer": SIGNATURE + b"\x02" + VALID[5:],
    "header-missing": START + TILE + END,
    "header-not-first": START + ICC + header() + TILE + END,
    "header-twice": START + header() + header() + TILE + END,
    "header-checksum-wrong": START + header()[:-1] + b"\x00" + TILE + END,
    "header-too-long": START + header(model=b"no model!") + TILE + END,
    "header-too-short": START + header(model=b"no") + TILE + END,
    "width-zero": START + header(width=b"\x00") + TILE + END,
    "height-zero": START + header(height=b"\x00") + TILE + END,
    "width-not-shortest-form": START + header(width=b"\x81\x00") + TILE + END,
    "width-above-32-bits": START + header(width=b"\xff\xff\xff\xff\x1f") + TILE + END,
    "width-beyond-limit": START + header(width=LARGEST) + TILE + END,
    "pixels-beyond-limit": START + header(width=b"\xff\xff\x03", height=b"\xff\xff\x03") + TILE + END,
    "mode-unknown": START + header(mode=4) + TILE + END,
    "tile-zero": START + header(tile=0) + TILE + END,
    "tile-above-2048": START + header(tile=33) + TILE + END,
    "quality-above-100": START + header(quality=10_001) + TILE + END,
    "effort-above-9": START + header(effort=10) + TILE + END,
    "length-beyond-file": START + header() + chunk(2, b"tile", length=b"\x40") + END,
    "length-largest": START + header() + chunk(2, b"tile", length=LARGEST) + END,
    "length-not-shortest-form": START + header() + chunk(2, b"tile", length=b"\x84\x00") + END,
    "length-above-32-bits": START + header() + chunk(2, b"tile", length=b"\xff\xff\xff\xff\xff\x01") + END,
    "tile-checksum-wrong": START + header() + TILE[:-1] + b"\x00" + END,
    "tile-missing": START + header() + END,
    "tile-too-many": START + header() + TILE + TILE + END,
    "alpha-missing": START + header(mode=3) + TILE + END,
    "alpha-not-wanted": START + header(mode=2) + TILE + ALPHA + END,
    "alpha-twice": START + header(mode=3) + TILE + ALPHA + ALPHA + END,
    "alpha-before-tile": START + header(mode=3) + ALPHA + TILE + END,
    "icc-twice": START + header() + ICC + ICC + TILE + END,
    "icc-after-exif": START + header() + EXIF + ICC + TILE + END,
    "xmp-after-tile": START + header() + TILE + XMP + END,
    "correction-twice": START + header() + CORRECTION + CORRECTION + TILE + END,
    "correction-after-tile": START + header() + TILE + CORRECTION + END,
    "unknown-required-chunk": START + header() + chunk(127, b"") + TILE + END,
    "end-missing": START + header() + TILE,
    "end-not-empty": START + header() + TILE + chunk(4, b"\x00"),
    "end-twice": VALID + END,
    "trailing-byte": VALID + b"\x00",
}


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for rule, data in RULES.items():
        (FOLDER / f"{rule}.aec").write_bytes(data)


if __name__ == "__main__":
    main()
