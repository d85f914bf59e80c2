"""The container: what is written is read back, every broken rule is named, and nothing is believed before it is checked."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aecodec import Limits, info
from aecodec.errors import FormatError, LimitError
from aecodec.format.container import (
    CORRECTION,
    END,
    HEADER,
    MAX_VARINT,
    METADATA,
    MODES,
    SIGNATURE,
    TILE,
    TILE_UNIT,
    VERSION,
    XMP,
    Container,
    Header,
    chunks,
    read,
    read_header,
    read_varint,
    varint,
    write,
)

HEADER_1X1 = Header(width=1, height=1, mode="RGB", tile=64, quality=7500, effort=0, coder=4, model=b"no model")
NO_LIMITS = Limits(pixels=MAX_VARINT**2, side=MAX_VARINT, metadata_bytes=MAX_VARINT)

sides = st.integers(1, 200) | st.integers(1, MAX_VARINT - 1)
headers = st.builds(
    Header,
    width=sides,
    height=sides,
    mode=st.sampled_from(MODES),
    tile=st.integers(1, 32).map(lambda units: units * TILE_UNIT),
    quality=st.integers(0, 10_000),
    effort=st.integers(0, 9),
    coder=st.integers(0, 255),
    model=st.binary(min_size=8, max_size=8),
)
payloads = st.binary(max_size=300)


@st.composite
def containers(draw: st.DrawFn) -> Container:
    header = draw(headers)
    tile = header.tile
    header = replace(header, width=draw(st.integers(1, 3 * tile)), height=draw(st.integers(1, 3 * tile)))
    count = header.tiles
    tiles = draw(st.lists(payloads, min_size=count, max_size=count))
    alpha = draw(payloads) if header.mode.endswith("A") else None
    metadata = draw(st.dictionaries(st.sampled_from(list(METADATA)), payloads))
    return Container(header, tiles, alpha, metadata, draw(st.none() | payloads))


def chunk(kind: int, payload: bytes) -> bytes:
    body = bytes([kind]) + varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def small(tiles: int, **metadata: bytes) -> bytes:
    """A file of one row of tiles, payloads b"tile 0", b"tile 1", …"""
    header = replace(HEADER_1X1, width=64 * tiles)
    return write(Container(header, [b"tile %d" % i for i in range(tiles)], None, metadata))


# What is written is read back.


@given(containers())
def test_files_survive_the_round_trip(container: Container) -> None:
    data = write(container)
    assert read(data) == container
    assert read(data, allow_partial=True) == container


@given(headers)
def test_headers_survive_the_round_trip(header: Header) -> None:
    assert Header.from_bytes(memoryview(header.to_bytes())) == header


LOWEST = Header(1, 1, "L", 64, 0, 0, 0, bytes(8))
HIGHEST = Header(MAX_VARINT - 1, MAX_VARINT - 1, "RGBA", 2048, 10_000, 9, 255, b"\xff" * 8)


@pytest.mark.parametrize("header", [LOWEST, HIGHEST])
def test_every_field_reaches_its_limits(header: Header) -> None:
    assert Header.from_bytes(memoryview(header.to_bytes())) == header


BEYOND = {"width": 1, "height": 1, "tile": 64, "quality": 1, "effort": 1, "coder": 1}


@pytest.mark.parametrize("name", BEYOND)
@pytest.mark.parametrize(("header", "sign"), [(LOWEST, -1), (HIGHEST, 1)])
def test_no_field_is_written_beyond_its_limits(header: Header, sign: int, name: str) -> None:
    value = getattr(header, name) + sign * BEYOND[name]
    with pytest.raises(FormatError, match=f"{name} is {value}, allowed"):
        replace(header, **{name: value}).to_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"tile": 96}, "multiple of 64"), ({"mode": "CMYK"}, "mode is CMYK"), ({"model": b"short"}, "5 bytes, must have 8")],
)
def test_no_field_is_written_with_an_illegal_value(change: dict[str, int], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        replace(HEADER_1X1, **change).to_bytes()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (Container(HEADER_1X1, []), "0 tiles, the header asks for 1"),
        (Container(HEADER_1X1, [None]), "damaged tile"),
        (Container(HEADER_1X1, [b""], b"alpha"), "mode is RGB"),
        (Container(replace(HEADER_1X1, mode="LA"), [b""]), "mode is LA"),
        (Container(HEADER_1X1, [b""], None, {"iptc": b""}), "metadata iptc has no chunk"),
    ],
)
def test_nothing_that_could_not_be_read_is_written(container: Container, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        write(container)


def test_a_file_of_one_pixel_spends_39_bytes_on_the_container() -> None:
    for payload in (b"", b"x" * 127):
        assert len(write(Container(HEADER_1X1, [payload]))) == 39 + len(payload)


def test_the_worked_file_of_the_specification_is_what_is_written() -> None:
    specification = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
    listing = specification.split("## A file of one pixel")[1].split("```")[1]
    data = bytes.fromhex("".join(re.findall(r"^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)", listing, re.MULTILINE)))
    content = read(data)
    assert write(content) == data
    assert content.header == replace(HEADER_1X1, tile=1024, model=content.header.model)
    assert len(content.tiles[0] or b"") == len(data) - 39


# Numbers.


@given(st.integers(0, MAX_VARINT - 1))
def test_varints_survive_in_their_shortest_form(value: int) -> None:
    data = varint(value)
    assert read_varint(memoryview(data), 0, "number") == (value, len(data))
    assert len(data) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize(
    "data", [b"\x80\x00", b"\xff\x80\x00", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x10", b"\x80" * 9 + b"\x01"]
)
def test_varints_that_are_too_long_or_too_large_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="shortest form below 4294967296"):
        read_varint(memoryview(data), 0, "number")


@pytest.mark.parametrize("value", [-1, MAX_VARINT])
def test_varints_out_of_range_are_not_written(value: int) -> None:
    with pytest.raises(FormatError, match="does not fit"):
        varint(value)


# Broken rules.

MESSAGES = {
    "empty": "the file is empty",
    "signature-wrong": "not an .aec file (wrong signature)",
    "signature-only": "the file ends after its signature",
    "version-newer": "format version 2, this aecodec reads version 1; a newer aecodec may read it",
    "header-missing": "the first chunk is not the header",
    "header-not-first": "the first chunk is not the header",
    "header-twice": "header chunk is there twice",
    "header-checksum-wrong": "header at byte 5: checksum does not match, the file is damaged",
    "header-too-long": "header: 17 bytes, must be 16",
    "header-too-short": "header: 10 bytes, must be 16",
    "width-zero": "header: width is 0, allowed 1..4294967295",
    "height-zero": "header: height is 0, allowed 1..4294967295",
    "width-not-shortest-form": "header: width: not a number in shortest form below 4294967296",
    "width-above-32-bits": "header: width: not a number in shortest form below 4294967296",
    "width-beyond-limit": "width is 4294967295, limit 65535",
    "pixels-beyond-limit": "65535x65535 is 4294836225 pixels, limit 268435456; raise it with --max-pixels",
    "mode-unknown": "header: mode is 4, allowed 0..3",
    "tile-zero": "header: tile is 0, allowed 64..2048",
    "tile-above-2048": "header: tile is 2112, allowed 64..2048",
    "quality-above-100": "header: quality is 10001, allowed 0..10000",
    "effort-above-9": "header: effort is 10, allowed 0..9",
    "length-beyond-file": "tile at byte 27: length is 64, the file has 10 left",
    "length-largest": "tile at byte 27: length is 4294967295, the file has 10 left",
    "length-not-shortest-form": "tile at byte 27: length: not a number in shortest form below 4294967296",
    "length-above-32-bits": "tile at byte 27: length: not a number in shortest form below 4294967296",
    "tile-checksum-wrong": "tile at byte 27: checksum does not match, the file is damaged",
    "tile-missing": "0 tiles, the header asks for 1",
    "tile-too-many": "more tiles than the 1 of the header",
    "alpha-missing": "alpha chunk missing from a file of mode RGBA",
    "alpha-not-wanted": "alpha chunk in a file of mode RGB",
    "alpha-twice": "alpha chunk is there twice",
    "alpha-before-tile": "tile chunk is out of order",
    "icc-twice": "icc chunk is there twice",
    "icc-after-exif": "icc chunk is out of order",
    "xmp-after-tile": "xmp chunk is out of order",
    "correction-twice": "correction chunk is there twice",
    "correction-after-tile": "correction chunk is out of order",
    "unknown-required-chunk": "unknown required chunk of type 127; a newer aecodec may read it",
    "end-missing": "the end chunk is missing, the file is cut",
    "end-not-empty": "end chunk has 1 bytes, must have none",
    "end-twice": "6 bytes after the end chunk",
    "trailing-byte": "1 bytes after the end chunk",
}
CORRUPT = Path(__file__).parent / "corrupt"


def test_every_corrupt_file_has_a_message() -> None:
    assert {path.stem for path in CORRUPT.glob("*.aec")} == MESSAGES.keys()


@pytest.mark.parametrize("rule", MESSAGES)
def test_a_file_that_breaks_a_rule_is_refused_by_name(rule: str) -> None:
    with pytest.raises(FormatError) as caught:
        read((CORRUPT / f"{rule}.aec").read_bytes())
    assert str(caught.value) == MESSAGES[rule]


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: SIGNATURE + bytes([VERSION]) + data))
def test_random_bytes_give_a_format_error(data: bytes) -> None:
    for reader in (read, read_header, info):
        with pytest.raises(FormatError):
            reader(data)


def test_unknown_optional_chunks_are_skipped_wherever_they_stand() -> None:
    data = small(2, xmp=b"x")
    for at in (found.start + found.length + 4 for found in chunks(data)[:-1]):
        assert read(data[:at] + chunk(200, b"of the future") + data[at:]) == read(data)


# Limits come first.


def with_header(header: Header, rest: bytes = b"") -> bytes:
    return SIGNATURE + bytes([VERSION]) + chunk(HEADER, header.to_bytes()) + rest


@pytest.mark.parametrize(
    ("size", "message"),
    [((65_536, 1), "width is 65536, limit 65535"), ((1, 65_536), "height is 65536"), ((65_535, 65_535), "4294836225 pixels")],
)
def test_size_limits_are_checked_before_the_rest_is_looked_at(size: tuple[int, int], message: str) -> None:
    data = with_header(replace(HEADER_1X1, width=size[0], height=size[1]), rest=b"no chunk at all")
    for reader in (read, read_header, info):
        with pytest.raises(LimitError, match=message):
            reader(data)
    with pytest.raises(LimitError, match=message):
        read(data, allow_partial=True)


def test_size_limits_hold_for_writing() -> None:
    with pytest.raises(LimitError, match="limit 10"):
        write(Container(replace(HEADER_1X1, width=11), [b""]), Limits(side=10))


def test_limits_can_be_raised() -> None:
    header = replace(HEADER_1X1, width=MAX_VARINT - 1, height=MAX_VARINT - 1)
    assert read_header(with_header(header), NO_LIMITS) == header


@pytest.mark.parametrize("allow_partial", [False, True])
def test_metadata_beyond_the_limit_is_refused(allow_partial: bool) -> None:
    metadata = {"icc": bytes(60), "exif": bytes(60)}
    data = small(1, **metadata)
    assert read(data, Limits(metadata_bytes=120), allow_partial).metadata == metadata
    with pytest.raises(LimitError, match="metadata has 120 bytes, limit 119"):
        read(data, Limits(metadata_bytes=119), allow_partial)
    with pytest.raises(LimitError, match="metadata has 120 bytes, limit 119"):
        write(Container(HEADER_1X1, [b""], None, metadata), Limits(metadata_bytes=119))


def test_the_header_is_read_from_the_first_bytes_alone() -> None:
    assert read_header(small(3)[:30]) == read_header(small(3))


# Damage.

WHOLE = Container(
    replace(HEADER_1X1, width=192, mode="RGBA"),
    [b"tile 0", b"tile 1", b"tile 2"],
    b"alpha",
    {"icc": b"profile", "xmp": b"<x/>"},
    b"correction",
)
FILE = write(WHOLE)


@pytest.mark.parametrize("at", range(len(FILE)))
def test_every_changed_byte_is_noticed(at: int) -> None:
    for bits in (0x01, 0x80, 0xFF):
        data = bytearray(FILE)
        data[at] ^= bits
        with pytest.raises(FormatError):
            read(bytes(data))


@pytest.mark.parametrize("length", range(len(FILE)))
def test_every_cut_is_noticed(length: int) -> None:
    with pytest.raises(FormatError):
        read(FILE[:length])


def place(data: bytes, kind: int, number: int = 0) -> int:
    """Where the ``number``-th chunk of a type begins."""
    found = [c for c in chunks(data) if c.type == kind][number]
    return found.start - 1 - len(varint(found.length))


def test_a_damaged_tile_loses_itself_only() -> None:
    data = bytearray(FILE)
    data[place(FILE, TILE, 1) + 3] ^= 1
    assert read(bytes(data), allow_partial=True).tiles == [b"tile 0", None, b"tile 2"]


def test_a_damaged_correction_is_empty() -> None:
    data = bytearray(FILE)
    data[place(FILE, CORRECTION) + 3] ^= 1
    assert read(bytes(data), allow_partial=True) == replace(WHOLE, correction=b"", damaged=True)


def test_a_cut_file_keeps_what_came_before() -> None:
    data = FILE[: place(FILE, TILE, 2) + 5]
    assert read(data, allow_partial=True).tiles == [b"tile 0", b"tile 1", None]


@pytest.mark.parametrize("at", range(len(FILE)))
def test_no_damaged_byte_moves_a_tile_to_another_place(at: int) -> None:
    for value in range(256):
        data = bytearray(FILE)
        data[at] = value
        try:
            partial = read(bytes(data), allow_partial=True)
        except FormatError:
            continue
        assert partial.damaged == (data != FILE)
        assert partial.header == WHOLE.header
        assert all(found in (None, right) for found, right in zip(partial.tiles, WHOLE.tiles, strict=True))
        assert partial.alpha in (None, WHOLE.alpha)
        assert partial.correction in (None, b"", WHOLE.correction)
        assert partial.metadata.items() <= WHOLE.metadata.items()


# Information without the model.


def test_info_tells_what_the_header_says() -> None:
    found = info(small(2, exif=b"12345", xmp=b"123"))
    assert (found.width, found.height, found.mode, found.tiles, found.quality) == (128, 1, "RGB", 2, 75.0)
    assert found.metadata == {"exif": 5, "xmp": 3}
    assert found.intact
    assert [c.name for c in found.chunks] == ["header", "exif", "xmp", "tile", "tile", "end"]


def test_info_names_the_chunks_that_are_damaged() -> None:
    data = bytearray(small(2))
    data[place(bytes(data), TILE, 1) + 3] ^= 1
    found = info(bytes(data))
    assert not found.intact
    assert [c.intact for c in found.chunks] == [True, True, False, True]
    assert found.chunks[-1].type == END


def test_chunk_names_are_for_people() -> None:
    data = small(1, xmp=b"x")
    at = place(data, XMP)
    assert [c.name for c in chunks(data[:at] + chunk(200, b"") + data[at:])] == ["header", "unknown 200", "xmp", "tile", "end"]
