"""The entropy coder: what goes in comes out, docs/format.md alone is enough to read it, and no bytes can harm the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aecodec import Codec
from aecodec.entropy.alphabet import HYPER_TABLES, INDEXES
from aecodec.entropy.coder import SYMBOL_LIMIT, Decoder, Encoder, Models
from aecodec.entropy.tables import MAX_HALF, TOTAL, Tables, fit, no_counts, to_frequencies
from aecodec.entropy.trellis import NEXT, Order, tables_of
from aecodec.errors import FormatError, ModelError
from aecodec.format import container

from . import plain_decoder

TABLES = fit(*no_counts())
MODELS = Models(TABLES.rows)

Step = tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]
"""Symbols and the scale indexes they are coded under."""
Hyper = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Symbols of ẑ and their tables."""


def as_step(symbols: list[tuple[int, int]]) -> Step:
    """(index, symbol) pairs as a step; what has index 0 is not coded, so it is zero."""
    indexes = np.array([index for index, _ in symbols], np.uint8)
    return np.array([symbol if index else 0 for index, symbol in symbols], np.int32), indexes


symbols = st.integers(-3, 3) | st.integers(-300, 300) | st.integers(-SYMBOL_LIMIT, SYMBOL_LIMIT)
steps = st.lists(st.tuples(st.integers(0, INDEXES - 1), symbols), max_size=200).map(as_step)
hypers = st.lists(st.tuples(st.integers(-126, 126), st.integers(0, HYPER_TABLES - 1)), max_size=60).map(
    lambda pairs: (np.array([symbol for symbol, _ in pairs], np.int32), np.array([table for _, table in pairs], np.int32))
)
ONES: Hyper = np.ones(12, np.int32), np.full(12, 100, np.int32)


def encode(hyper: Hyper, coded: list[Step]) -> bytes:
    encoder = Encoder(MODELS)
    encoder.hyper(*hyper)
    for values, indexes in coded:
        encoder.step(values, indexes)
    return encoder.finish()


@given(hypers, st.lists(steps, max_size=4))
def test_decoder_gives_what_the_encoder_took(hyper: Hyper, coded: list[Step]) -> None:
    decoder = Decoder(MODELS, encode(hyper, coded))
    assert np.array_equal(decoder.hyper(hyper[1]), hyper[0])
    for values, indexes in coded:
        assert np.array_equal(decoder.step(indexes)[0], values)
    decoder.finish()


@pytest.mark.parametrize("symbol", [0, 1, -1, 255, 256, -256, SYMBOL_LIMIT, -SYMBOL_LIMIT])
def test_every_table_codes_small_symbols_and_escapes(symbol: int) -> None:
    indexes = np.arange(INDEXES, dtype=np.uint8).repeat(3)
    values = np.where(indexes > 0, symbol, 0).astype(np.int32)
    encoder = Encoder(MODELS)
    encoder.step(values, indexes)
    decoder = Decoder(MODELS, encoder.finish())
    assert np.array_equal(decoder.step(indexes)[0], values)
    decoder.finish()


def test_certain_zeros_cost_nothing() -> None:
    zeros = (np.zeros(10_000, np.int32), np.zeros(10_000, np.uint8))
    assert encode(ONES, [zeros] * 4) == encode(ONES, [])


def test_size_is_within_one_percent_of_the_information() -> None:
    rng = np.random.default_rng(1)
    indexes = rng.integers(1, INDEXES, 40_000).astype(np.uint8)
    values = np.empty(len(indexes), np.int32)
    bits = 0.0
    order = Order(indexes)
    states = np.zeros(order.width, np.uint8)
    for row, dependent in ((order.plain, False), *((row, True) for row in order.rows)):
        for at, lane in zip(row, range(len(row)), strict=True):
            table = TABLES.residual[tables_of(indexes[at], states[lane] & 1 if dependent else 0)]
            drawn = int(np.searchsorted(np.cumsum(table[:-1]), rng.integers(table[:-1].sum()), side="right"))
            values[at] = drawn - (len(table) // 2 - 1)
            bits -= np.log2(table[drawn] / TOTAL)
            if dependent:
                states[lane] = NEXT[states[lane], values[at] & 1]
    encoder = Encoder(MODELS)
    encoder.step(values, indexes)
    assert len(encoder.finish()) * 8 == pytest.approx(bits, rel=0.01)


# docs/format.md is enough to read it.


@settings(max_examples=50)
@given(hypers, st.lists(steps, max_size=2))
def test_the_plain_decoder_of_the_specification_reads_symbols(hyper: Hyper, coded: list[Step]) -> None:
    decoder = plain_decoder.RangeDecoder(encode(hyper, coded))
    assert plain_decoder.read_hyper(decoder, [row.tolist() for row in TABLES.hyper], hyper[1].tolist()) == hyper[0].tolist()
    for values, indexes in coded:
        tables = [row.tolist() for row in TABLES.residual]
        assert plain_decoder.read_step(decoder, tables, indexes.tolist())[0] == values.tolist()
    assert decoder.finished()


@pytest.mark.parametrize(("quality", "size"), [(0, (1, 1)), (33.33, (70, 40)), (100, (64, 81))])
def test_the_plain_decoder_of_the_specification_reads_files(quality: float, size: tuple[int, int]) -> None:
    codec = Codec()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    data = codec.compress(image, quality=quality, tile=64)
    content, tensors = container.read(data), codec.weights.tensors
    level = plain_decoder.level_of(tensors, content.header.quality)
    for payload, latent in zip(content.tiles, codec.symbols(data), strict=True):
        assert payload is not None
        read = plain_decoder.read_tile(payload, tensors, level, *latent.symbols.shape[1:])
        for mine, theirs in zip(read, (latent.z_hat, latent.symbols, latent.shifted), strict=True):
            assert np.array_equal(mine, theirs)


# Hostile bytes. Whatever is not a FormatError, Rust's PanicException included, fails the test by itself.


def hostile_indexes() -> Iterator[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    yield np.zeros(0, np.uint8)
    yield rng.integers(0, INDEXES, 500).astype(np.uint8)
    yield np.full(500, 1, np.uint8)
    yield np.full(500, INDEXES - 1, np.uint8)


def survives(data: bytes, indexes: npt.NDArray[np.uint8]) -> bool:
    """Whether the bytes decode; every result must be in range."""
    try:
        decoder = Decoder(MODELS, data)
        assert np.abs(decoder.hyper(ONES[1]), dtype=np.int64).max() <= SYMBOL_LIMIT
        assert np.abs(decoder.step(indexes)[0], dtype=np.int64).max(initial=0) <= SYMBOL_LIMIT
        decoder.finish()
    except FormatError:
        return False
    return True


@settings(max_examples=400)
@given(st.binary(max_size=600))
def test_random_bytes_decode_or_give_a_format_error(data: bytes) -> None:
    for indexes in hostile_indexes():
        survives(data, indexes)


@pytest.mark.parametrize("data", [b"\xff" * n for n in range(40)] + [b"\x01", bytes(8) + b"\x01", b"\xfe" + b"\xff" * 99])
def test_extreme_bytes_decode_or_give_a_format_error(data: bytes) -> None:
    for indexes in hostile_indexes():
        survives(data, indexes)


def test_a_flood_of_escapes_is_bounded() -> None:
    """All ones in the prefix of an escape: refused after GOLOMB_MAX_PREFIX bits, not followed for ever."""
    escape = 2 * MODELS.half[9] + 1
    encoder = Encoder(MODELS)
    encoder.coder.encode(np.array([escape], np.int32), MODELS.rows[9])
    encoder.coder.encode(np.ones(10_000, np.int32), MODELS.bit)
    with pytest.raises(FormatError, match="too large"):
        Decoder(MODELS, encoder.finish()).step(np.array([10], np.uint8))


def test_an_escape_beyond_the_limit_is_refused() -> None:
    encoder = Encoder(MODELS)
    encoder.step(np.array([SYMBOL_LIMIT + 1], np.int32), np.array([10], np.uint8))
    with pytest.raises(FormatError, match=f"{SYMBOL_LIMIT + 1}, limit {SYMBOL_LIMIT}"):
        Decoder(MODELS, encoder.finish()).step(np.array([10], np.uint8))


def test_a_hyper_latent_beyond_its_range_is_refused() -> None:
    coder = Codec().latent_coder
    expected = coder.hyper.expected(0, np.zeros((coder.hyper.offset.shape[2] // 2, 1, 1), np.int32), 4000)
    encoder = Encoder(coder.models)
    encoder.hyper(np.full(len(expected.table), 200, np.int32), expected.table)
    with pytest.raises(FormatError, match="hyper-latent"):
        coder.decode(encoder.finish(), 4, 4, 4000)


def test_left_over_data_is_refused() -> None:
    data = encode(ONES, [])
    decoder = Decoder(MODELS, data + bytes(-len(data) % 4) + b"more words")
    decoder.hyper(ONES[1])
    with pytest.raises(FormatError, match="left over"):
        decoder.finish()


@given(hypers)
def test_zero_bytes_at_the_end_are_left_out_and_refused(hyper: Hyper) -> None:
    data = encode(hyper, [])
    assert not data.endswith(b"\0")
    with pytest.raises(FormatError, match="zero byte"):
        Decoder(MODELS, data + b"\0")


# Tables.


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=520).filter(lambda weights: sum(weights) > 1e-3))
def test_frequencies_are_positive_and_sum_to_the_total(weights: list[float]) -> None:
    frequencies = to_frequencies(np.array(weights))
    assert frequencies.min() >= 1
    assert frequencies.sum() == TOTAL


def test_tables_survive_the_weights_file() -> None:
    loaded = Tables.load(TABLES.tensors())
    for mine, theirs in ((loaded.residual, TABLES.residual), (loaded.hyper, TABLES.hyper)):
        assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_tables_follow_what_was_counted() -> None:
    residual, hyper = no_counts()
    residual[40, MAX_HALF + 1 + 2] = hyper[100, MAX_HALF + 1 + 2] = 10**6
    tables = fit(residual, hyper)
    for row, share in ((tables.residual[40], 0.5), (tables.hyper[100], 1)):  # those of residuals are symmetric
        assert row[len(row) // 2 - 1 + 2] / TOTAL == pytest.approx(share, rel=0.02)
    residual[40], hyper[100] = 0, 0
    residual[40, 0] = hyper[100, -1] = 10**6
    tables = fit(residual, hyper)
    assert min(tables.residual[40][-1], tables.hyper[100][-1]) / TOTAL > 0.98  # escapes


Tensors = dict[str, npt.NDArray[np.generic]]


def move_a_count(tensors: Tensors, name: str, amount: int) -> Tensors:
    changed = tensors[name].astype(np.int64)
    changed.flat[changed.argmax()] += amount
    return {**tensors, name: changed}


def with_a_zero(tensors: Tensors) -> Tensors:
    changed = tensors["tables.hyper"].astype(np.int64)
    changed[1] += changed[0]
    changed[0] = 0
    return {**tensors, "tables.hyper": changed}


BAD_TABLES: dict[str, Callable[[Tensors], Tensors]] = {
    "sum too large": lambda t: move_a_count(t, "tables.residual", 1),
    "sum too small": lambda t: move_a_count(t, "tables.hyper", -1),
    "frequency of zero": with_a_zero,
    "a hyper table missing": lambda t: {**t, "tables.hyper.half": t["tables.hyper.half"][1:]},
    "a residual table missing": lambda t: {**t, "tables.residual.half": t["tables.residual.half"][1:]},
    "residuals cut": lambda t: {**t, "tables.residual": t["tables.residual"][:-1]},
}


@pytest.mark.parametrize("change", BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_bad_tables_are_refused(change: Callable[[Tensors], Tensors]) -> None:
    with pytest.raises(ModelError, match="tables"):
        Tables.load(change(TABLES.tensors()))
