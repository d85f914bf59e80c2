"""The .aec byte layout: fields and chunks to bytes and back. `docs/format.md` is the specification. No torch, no numpy.

    file    = signature, version u8, chunk…
    chunk   = type u8, length varint, payload, CRC-32 u32 of all three
    order   = header, [ICC], [EXIF], [XMP], [correction], one tile chunk a tile in raster order, [alpha], end

All integers are little-endian. Chunks tile the file exactly. Every field is range-checked when written and when read; lengths are
checked against what is left of the file, and sizes against `Limits`, before anything is allocated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import FormatError, LimitError
from ..limits import Limits

SIGNATURE = b"\xaeAEC"
VERSION = 1

HEADER, TILE, ALPHA, END, CORRECTION = 1, 2, 3, 4, 5
ICC, EXIF, XMP = 128, 129, 130
CHUNK_OVERHEAD = 6
"""Bytes of a short chunk beside its payload."""
FIRST_OPTIONAL = 128
"""A reader skips unknown chunks from this type on, and refuses unknown ones below it."""

CHUNK_NAMES = {
    HEADER: "header",
    TILE: "tile",
    ALPHA: "alpha",
    END: "end",
    CORRECTION: "correction",
    ICC: "icc",
    EXIF: "exif",
    XMP: "xmp",
}
METADATA = {"icc": ICC, "exif": EXIF, "xmp": XMP}
RANKS = {HEADER: 0, ICC: 1, EXIF: 2, XMP: 3, CORRECTION: 4, TILE: 5, ALPHA: 6, END: 7}
MODES = ("L", "LA", "RGB", "RGBA")

TILE_UNIT = 64
MAX_TILE = 2048
MAX_VARINT = 1 << 32


@dataclass(frozen=True)
class Header:
    """What the first chunk says. Sizes in pixels, quality in hundredths (0..10000)."""

    width: int
    height: int
    mode: str
    tile: int
    quality: int
    effort: int
    coder: int
    model: bytes

    def check(self) -> None:
        """Raise FormatError for the first field that is out of its range."""
        ranges = {
            "width": (self.width, 1, MAX_VARINT - 1),
            "height": (self.height, 1, MAX_VARINT - 1),
            "tile": (self.tile, TILE_UNIT, MAX_TILE),
            "quality": (self.quality, 0, 10_000),
            "effort": (self.effort, 0, 9),
            "coder": (self.coder, 0, 255),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise FormatError(f"header: {name} is {value}, allowed {low}..{high}")
        if self.tile % TILE_UNIT:
            raise FormatError(f"header: tile is {self.tile}, not a multiple of {TILE_UNIT}")
        if self.mode not in MODES:
            raise FormatError(f"header: mode is {self.mode}, allowed {', '.join(MODES)}")
        if len(self.model) != 8:
            raise FormatError(f"header: model has {len(self.model)} bytes, must have 8")

    @property
    def tiles(self) -> int:
        """How many tile chunks the file has; `tiles.Grid` knows where they lie."""
        return -(-self.width // self.tile) * -(-self.height // self.tile)

    def to_bytes(self) -> bytes:
        """The payload of the header chunk."""
        self.check()
        fixed = struct.pack(
            "<BBHBB8s", MODES.index(self.mode), self.tile // TILE_UNIT, self.quality, self.effort, self.coder, self.model
        )
        return varint(self.width) + varint(self.height) + fixed

    @classmethod
    def from_bytes(cls, payload: memoryview) -> Header:
        """The inverse of `to_bytes`; raises FormatError."""
        width, at = read_varint(payload, 0, "header: width")
        height, at = read_varint(payload, at, "header: height")
        if len(payload) - at != 14:
            raise FormatError(f"header: {len(payload)} bytes, must be {at + 14}")
        mode, tile, quality, effort, coder, model = struct.unpack_from("<BBHBB8s", payload, at)
        if mode >= len(MODES):
            raise FormatError(f"header: mode is {mode}, allowed 0..{len(MODES) - 1}")
        header = cls(width, height, MODES[mode], tile * TILE_UNIT, quality, effort, coder, model)
        header.check()
        return header


@dataclass(frozen=True)
class Chunk:
    """Where one chunk lies: payload bytes from ``start``."""

    type: int
    start: int
    length: int
    intact: bool

    @property
    def name(self) -> str:
        """For people."""
        return CHUNK_NAMES.get(self.type, f"unknown {self.type}")


@dataclass(frozen=True)
class Container:
    """The content of a file. Where it is damaged and one asked to go on, tiles are None and the correction is empty."""

    header: Header
    tiles: Sequence[bytes | None]
    """entropy-coded"""
    alpha: bytes | None = None
    """deflated"""
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    correction: bytes | None = None
    damaged: bool = False
    """whether anything at all is not as it was written"""


def varint(value: int) -> bytes:
    """LEB128: seven bits a byte, lowest first."""
    if not 0 <= value < MAX_VARINT:
        raise FormatError(f"number {value} does not fit, limit {MAX_VARINT - 1}")
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: memoryview, at: int, what: str) -> tuple[int, int]:
    """(value, position after it). Shortest form only, below 2^32."""
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            raise FormatError(f"{what}: the file ends inside it")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if (byte == 0 and shift) or value >= MAX_VARINT:
                break
            return value, at
    raise FormatError(f"{what}: not a number in shortest form below {MAX_VARINT}")


def write(container: Container, limits: Limits = Limits()) -> bytes:
    """A complete file; raises FormatError if a field is out of range."""
    header = container.header
    check_limits(header, limits)
    if len(container.tiles) != header.tiles:
        raise FormatError(f"{len(container.tiles)} tiles, the header asks for {header.tiles}")
    if (container.alpha is not None) != header.mode.endswith("A"):
        raise FormatError(f"alpha must be there exactly when the mode has it, mode is {header.mode}")
    if unknown := container.metadata.keys() - METADATA.keys():
        raise FormatError(f"metadata {', '.join(sorted(unknown))} has no chunk, allowed {', '.join(METADATA)}")
    _check_metadata(sum(map(len, container.metadata.values())), limits)
    parts = [SIGNATURE, bytes([VERSION]), _chunk(HEADER, header.to_bytes())]
    parts += [_chunk(kind, container.metadata[name]) for name, kind in METADATA.items() if name in container.metadata]
    if container.correction is not None:
        parts.append(_chunk(CORRECTION, container.correction))
    for tile in container.tiles:
        if tile is None:
            raise FormatError("a damaged tile can't be written")
        parts.append(_chunk(TILE, tile))
    if container.alpha is not None:
        parts.append(_chunk(ALPHA, container.alpha))
    parts.append(_chunk(END, b""))
    return b"".join(parts)


def _chunk(kind: int, payload: bytes) -> bytes:
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def check_limits(header: Header, limits: Limits) -> None:
    """Raise LimitError if an image is larger than allowed."""
    for name, side in (("width", header.width), ("height", header.height)):
        if side > limits.side:
            raise LimitError(f"{name} is {side}, limit {limits.side}")
    pixels = header.width * header.height
    if pixels > limits.pixels:
        raise LimitError(f"{header.width}x{header.height} is {pixels} pixels, limit {limits.pixels}; raise it with --max-pixels")


def _check_metadata(size: int, limits: Limits) -> None:
    if size > limits.metadata_bytes:
        raise LimitError(f"metadata has {size} bytes, limit {limits.metadata_bytes}")


def read_header(data: bytes, limits: Limits = Limits()) -> Header:
    """The header alone; the rest of the file is not looked at."""
    view = memoryview(data)
    chunk = next(_walk(view, check=True), None)
    if chunk is None or chunk.type != HEADER:
        raise FormatError("the first chunk is not the header")
    header = Header.from_bytes(view[chunk.start : chunk.start + chunk.length])
    check_limits(header, limits)
    return header


def read_metadata(data: bytes) -> dict[str, bytes]:
    """ICC, EXIF and XMP alone, checked by their checksums; tiles are not looked at."""
    view = memoryview(data)
    names = {kind: name for name, kind in METADATA.items()}
    found = {names[c.type]: c for c in chunks(data) if c.type in names and c.intact}
    return {name: bytes(view[chunk.start : chunk.start + chunk.length]) for name, chunk in found.items()}


def chunks(data: bytes) -> list[Chunk]:
    """Every chunk of a file in order, with whether its checksum holds; raises FormatError where the layout is broken."""
    return list(_walk(memoryview(data), check=False))


def _walk(view: memoryview, check: bool) -> Iterator[Chunk]:
    """Chunks one by one up to the end of the data; with ``check`` a wrong checksum is an error."""
    if bytes(view[:4]) != SIGNATURE:
        raise FormatError("not an .aec file (wrong signature)" if len(view) else "the file is empty")
    if len(view) < 5:
        raise FormatError("the file ends after its signature")
    if view[4] != VERSION:
        raise FormatError(f"format version {view[4]}, this aecodec reads version {VERSION}; a newer aecodec may read it")
    at = 5
    while at < len(view):
        kind = view[at]
        name = CHUNK_NAMES.get(kind, f"chunk of type {kind}")
        length, start = read_varint(view, at + 1, f"{name} at byte {at}: length")
        end = start + length
        if end + 4 > len(view):
            raise FormatError(f"{name} at byte {at}: length is {length}, the file has {max(0, len(view) - start - 4)} left")
        intact = zlib.crc32(view[at:end]) == struct.unpack_from("<I", view, end)[0]
        if check and not intact:
            raise FormatError(f"{name} at byte {at}: checksum does not match, the file is damaged")
        yield Chunk(kind, start, length, intact)
        at = end + 4
        if kind == END and at < len(view):
            raise FormatError(f"{len(view) - at} bytes after the end chunk")


def read(data: bytes, limits: Limits = Limits(), allow_partial: bool = False) -> Container:
    """The whole file, every checksum and the order of chunks checked; raises FormatError or LimitError.

    With ``allow_partial`` damaged tiles become None, and a file that is cut keeps what came before; the header must be whole.
    """
    header = read_header(data, limits)
    view = memoryview(data)
    order = _Order(header, limits)
    tiles: list[bytes | None] = []
    alpha: bytes | None = None
    correction: bytes | None = None
    metadata: dict[str, bytes] = {}
    names = {kind: name for name, kind in METADATA.items()}
    before_damage: int | None = None  # tiles before the first damaged chunk
    damaged = False
    try:
        for chunk in _walk(view, check=not allow_partial):
            if not chunk.intact and before_damage is None:
                before_damage, damaged = len(tiles), True
            order.check(chunk)
            payload = bytes(view[chunk.start : chunk.start + chunk.length]) if chunk.intact else None
            if chunk.type == TILE:
                tiles.append(payload)
            elif chunk.type == ALPHA:
                alpha = payload
            elif chunk.type == CORRECTION:
                correction = payload or b""
            elif chunk.type in names and payload is not None:
                metadata[names[chunk.type]] = payload
        order.finish()
    except FormatError as error:
        if not allow_partial or isinstance(error, LimitError):
            raise
        damaged = True
        if before_damage is not None:  # it may have changed a type or a length: which tiles follow is unknown
            del tiles[before_damage:]
    tiles += [None] * (header.tiles - len(tiles))
    return Container(header, tiles, alpha, metadata, correction, damaged)


class _Order:
    """The rule of which chunk may follow which, as a rank that must not fall."""

    def __init__(self, header: Header, limits: Limits) -> None:
        self.header, self.limits = header, limits
        self.last, self.tiles, self.metadata, self.alpha = -1, 0, 0, False

    def check(self, chunk: Chunk) -> None:
        if chunk.type not in RANKS:
            if chunk.type < FIRST_OPTIONAL:
                raise FormatError(f"unknown required chunk of type {chunk.type}; a newer aecodec may read it")
            return
        rank = RANKS[chunk.type]
        if rank < self.last:
            raise FormatError(f"{chunk.name} chunk is out of order")
        if rank == self.last and chunk.type != TILE:
            raise FormatError(f"{chunk.name} chunk is there twice")
        self.last = rank
        self.tiles += chunk.type == TILE
        self.alpha |= chunk.type == ALPHA
        if self.tiles > self.header.tiles:
            raise FormatError(f"more tiles than the {self.header.tiles} of the header")
        if chunk.type == END and chunk.length:
            raise FormatError(f"end chunk has {chunk.length} bytes, must have none")
        if chunk.type >= FIRST_OPTIONAL:
            self.metadata += chunk.length
            _check_metadata(self.metadata, self.limits)

    def finish(self) -> None:
        if self.last != RANKS[END]:
            raise FormatError("the end chunk is missing, the file is cut")
        if self.tiles != self.header.tiles:
            raise FormatError(f"{self.tiles} tiles, the header asks for {self.header.tiles}")
        if self.alpha != self.header.mode.endswith("A"):
            raise FormatError(f"alpha chunk {'in' if self.alpha else 'missing from'} a file of mode {self.header.mode}")
