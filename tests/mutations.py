"""Hostile files from good ones, by seed. Half of them are damaged as bytes, half as chunks whose checksums hold all the same.

The first kind dies at a checksum or tests the layout; the second kind carries its lies and garbage to the decoder behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from aecodec import AecError, Codec, FormatError, Limits
from aecodec.coding.correction import PAIRS, PRECISIONS, Correction
from aecodec.format.container import CHUNK_NAMES, CORRECTION, HEADER, MAX_VARINT, TILE, chunks, read_header, read_varint, varint
from aecodec.picture.imageio import Picture

Chunks = list[tuple[int, bytes]]
"""(type, payload) of each chunk."""

START = 5
"""Bytes of signature and version."""
SIDES = [
    0,
    1,
    2,
    15,
    16,
    17,
    63,
    64,
    65,
    100,
    127,
    128,
    129,
    200,
    255,
    256,
    1 << 12,
    1 << 16,
    (1 << 16) - 1,
    1 << 31,
    MAX_VARINT - 1,
]
BYTES = [0, 1, 2, 127, 128, 254, 255]


def small_codec() -> Codec:
    """A codec for which a file that asks for a large image costs no more than a small one."""
    return Codec(threads=1, limits=Limits(pixels=1 << 16))


def sample_files(codec: Codec) -> list[bytes]:
    """Small good files: every mode, one tile and several, alpha and metadata, with a correction where it pays."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 150, 4)).astype(np.uint8)
    smooth = np.add.outer(np.arange(33), np.arange(130)).astype(np.uint8)
    metadata = {"icc": b"profile", "exif": bytes(20), "xmp": b"<x/>"}
    return [
        codec.compress(Picture(noise[:1, :1, :3]), quality=75),
        codec.compress(Picture(smooth), quality=20, tile=64),
        codec.compress(Picture(noise[..., :3], noise[..., 3], metadata), quality=100, tile=64),
        codec.compress(Picture(smooth[:9, :9], smooth[:9, :9]), quality=0),
        codec.compress(Picture(np.stack([smooth.T[:66, :]] * 3, axis=2)), quality=30, tile=64),
        codec.compress(Picture(np.tile(smooth[:33, :66], (2, 1)), metadata={"exif": bytes(300)}), quality=5, tile=64),
        codec.compress(Picture(noise[:, :66, 0]), quality=100, tile=64),
    ]


def decompress(codec: Codec, data: bytes, allow_partial: bool) -> str:
    """What became of a file: "image", or the name of our error. Whatever else happens is a defect and is raised."""
    try:
        picture = codec.decompress(data, allow_partial=allow_partial)
    except AecError as error:
        if "\n" in str(error) or not str(error):
            raise
        return type(error).__name__
    header = read_header(data)
    size = (header.height, header.width)
    assert picture.color.dtype == np.uint8
    assert picture.color.shape == (size if header.mode.startswith("L") else (*size, 3))
    assert (None if picture.alpha is None else picture.alpha.shape) == (size if header.mode.endswith("A") else None)
    return "image"


def mutate(rng: Random, files: Sequence[bytes]) -> bytes:
    """One hostile file; ``files`` are whole .aec files."""
    data = rng.choice(files)
    if rng.random() < 0.5:
        for _ in range(rng.choice([1, 1, 2, 5])):
            data = rng.choice(BYTE_MUTATIONS)(rng, data, rng.choice(files))
        return data
    content = rng.choice(CHUNK_MUTATIONS)(rng, parse(data), parse(rng.choice(files)))
    return data[:START] + b"".join(chunk(kind, payload) for kind, payload in content)


def parse(data: bytes) -> Chunks:
    """The chunks of a good file."""
    return [(c.type, data[c.start : c.start + c.length]) for c in chunks(data)]


def chunk(kind: int, payload: bytes) -> bytes:
    """A chunk whose checksum holds."""
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def repair(data: bytes) -> bytes:
    """The same chunks with checksums that hold; data without the layout of chunks is left as it is."""
    try:
        return data[:START] + b"".join(chunk(kind, payload) for kind, payload in parse(data))
    except FormatError:
        return data


# Bytes.


def _span(rng: Random, data: bytes) -> tuple[int, int]:
    """A short stretch, anywhere."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice([1, 1, 2, 4, 16, 64]))


def flip_bits(rng: Random, data: bytes, _other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8]) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + bytes([rng.choice(BYTES)]) * (end - start) + data[end:]


def cut(rng: Random, data: bytes, _other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def remove(rng: Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def insert(rng: Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data)
    inserted = rng.choice([data[start:end], rng.randbytes(rng.choice([1, 4, 40]))])
    return data[:start] + inserted + data[start:]


def splice(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


ByteMutation = Callable[[Random, bytes, bytes], bytes]
BYTE_MUTATIONS: list[ByteMutation] = [flip_bits, overwrite, cut, remove, insert, splice]


# Chunks.


def garble_payload(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    """Damage inside a chunk, most often a tile: what the checksum would have caught."""
    tiles = [at for at, (kind, _) in enumerate(content) if kind == TILE]
    at = rng.choice(tiles) if tiles and rng.random() < 0.7 else rng.randrange(len(content))
    kind, payload = content[at]
    return [*content[:at], (kind, rng.choice(BYTE_MUTATIONS)(rng, payload, payload)), *content[at + 1 :]]


def random_tile(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    """Tiles of random or extreme bytes."""

    def garbage() -> bytes:
        size = rng.choice([0, 1, 4, 50, 500])
        return rng.randbytes(size) if rng.random() < 0.7 else bytes([rng.choice(BYTES)]) * size

    return [(kind, garbage() if kind == TILE else payload) for kind, payload in content]


def other_correction(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    """A correction that no encoder would make, in a file with one or without."""
    channels = 1 if content[0][1][-14] < 2 else 3
    largest = rng.choice([1, 10, 30_000])
    weights = np.zeros((2 * channels, len(PAIRS) * channels), np.int32)
    for group in weights[: rng.randrange(len(weights) + 1)]:
        group[rng.randrange(len(group))] = rng.randint(-largest, largest)
    payload = rng.choice([Correction(weights, rng.choice(PRECISIONS)).to_bytes(), rng.randbytes(rng.choice([0, 1, 20, 2000]))])
    first = next((at for at, (kind, _) in enumerate(content) if kind == TILE), 1)
    return [*((kind, data) for kind, data in content[:first] if kind != CORRECTION), (CORRECTION, payload), *content[first:]]


def lie_in_header(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    """Another size, or another value of one of the fixed fields but the model."""
    payload = content[0][1]
    width, at = read_varint(memoryview(payload), 0, "width")
    height, at = read_varint(memoryview(payload), at, "height")
    fixed = bytearray(payload[at:])
    lie = rng.choice(["width", "height", "fixed", "fixed"])
    if lie == "width":
        width = rng.choice(SIDES)
    elif lie == "height":
        height = rng.choice(SIDES)
    else:
        fixed[rng.randrange(6)] = rng.choice([*range(5), *BYTES])
    return [(HEADER, varint(width) + varint(height) + bytes(fixed)), *content[1:]]


def drop_chunk(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    at = rng.randrange(len(content))
    return content[:at] + content[at + 1 :]


def repeat_chunk(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    at = rng.randrange(len(content))
    return content[: at + 1] + content[at:]


def swap_chunks(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    changed = list(content)
    a, b = rng.randrange(len(content)), rng.randrange(len(content))
    changed[a], changed[b] = changed[b], changed[a]
    return changed


def retype_chunk(rng: Random, content: Chunks, _other: Chunks) -> Chunks:
    at = rng.randrange(len(content))
    return [*content[:at], (rng.choice([*CHUNK_NAMES, 0, 127, 131, 255]), content[at][1]), *content[at + 1 :]]


def borrow_payload(rng: Random, content: Chunks, other: Chunks) -> Chunks:
    """A chunk of another file in the place of one of the same type."""
    at = rng.randrange(len(content))
    same = [payload for kind, payload in other if kind == content[at][0]] or [content[at][1]]
    return [*content[:at], (content[at][0], rng.choice(same)), *content[at + 1 :]]


ChunkMutation = Callable[[Random, Chunks, Chunks], Chunks]
CHUNK_MUTATIONS: list[ChunkMutation] = [
    garble_payload,
    garble_payload,
    garble_payload,
    random_tile,
    other_correction,
    lie_in_header,
    lie_in_header,
    drop_chunk,
    repeat_chunk,
    swap_chunks,
    retype_chunk,
    borrow_payload,
]
