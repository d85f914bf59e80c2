"""Symbols to bytes and back with a range coder. The only file that imports constriction.

Symbols that share a table and don't depend on one another are coded as one run: a thousand calls a tile, not one call a symbol.
Words are 32 bits, little-endian in the file; zero bytes at the end are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import constriction
import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .tables import TOTAL, Frequencies
from .trellis import TABLES, Indexes, Shifted, Symbols, by_table, runs

CODER_ID = 4
"""constriction 0.5 range coder, 32-bit words, 24-bit probabilities, Categorical(perfect=False, lazy=False).

Before it, coder 3 had one table for each channel of ẑ; coder 1 no trellis either, every residual an integer.
"""

SYMBOL_LIMIT = 32_767
"""Largest |symbol|. Escapes carry |symbol| - half - 1 in Exp-Golomb code of order 4."""
GOLOMB_ORDER = 4
GOLOMB_MAX_PREFIX = 12


class Models:
    """Tables as constriction's models, made once for many images.

    Args:
        rows: frequencies: `Tables.rows`, or for `Encoder.channels` a table for each.
    """

    def __init__(self, rows: Sequence[Frequencies] | Frequencies) -> None:
        # float64: the 24-bit probabilities that constriction makes of these are then exact integer arithmetic (docs/format.md)
        self.rows = [constriction.stream.model.Categorical(row / TOTAL, perfect=False, lazy=False) for row in rows]
        self.half = [len(row) // 2 - 1 for row in rows]
        self.bit = constriction.stream.model.Uniform(2)


class Encoder:
    """Takes the symbols of one tile in the order in which the decoder will ask for them."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.coder = constriction.stream.queue.RangeEncoder()

    def channels(self, symbols: Symbols) -> None:
        """Symbols (C, n) from 0 on, each channel with the table of its own that it has in a classic autoencoder."""
        for channel, model in zip(symbols, self.models.rows, strict=True):
            self.coder.encode(channel, model)

    def hyper(self, symbols: Symbols, tables: Symbols) -> None:
        """The symbols (n,) of a step of ẑ, whose tables are (n,), 0..HYPER_TABLES-1."""
        for at, table in by_table(np.arange(len(tables)), tables):
            self._run(symbols[at], TABLES + table)

    def step(self, symbols: Symbols, indexes: Indexes) -> None:
        """The symbols (n,) of one step, whose scale indexes are (n,); those of index 0 must be zero."""
        for at, table in runs(indexes, symbols, np.zeros(len(indexes), np.uint8)):
            self._run(symbols[at], table)

    def _run(self, values: Symbols, row: int) -> None:
        half = self.models.half[row]
        outside = np.abs(values) > half
        self.coder.encode(np.where(outside, 2 * half + 1, values + half).astype(np.int32), self.models.rows[row])
        for value in values[outside]:
            self.coder.encode(_escape_bits(int(value), half), self.models.bit)

    def finish(self) -> bytes:
        """The bytes of the tile."""
        words: npt.NDArray[np.uint32] = self.coder.get_compressed()
        return words.astype("<u4").tobytes().rstrip(b"\0")


class Decoder:
    """The mirror of `Encoder`. Raises FormatError when the bytes can't have come from it."""

    def __init__(self, models: Models, data: bytes) -> None:
        self.models = models
        if data.endswith(b"\0"):
            raise FormatError("tile: the entropy-coded data ends with a zero byte, must be left out")
        padded = data + bytes(-len(data) % 4)
        self.coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    def channels(self, count: int) -> Symbols:
        """The symbols (C, count) that `Encoder.channels` was given."""
        return np.stack([self._decode(model, count) for model in self.models.rows])

    def hyper(self, tables: Symbols) -> Symbols:
        """The symbols (n,) of a step of ẑ from their tables (n,)."""
        symbols = np.zeros(len(tables), np.int32)
        for at, table in by_table(np.arange(len(tables)), tables):
            symbols[at] = self._run(len(at), TABLES + table)
        return symbols

    def step(self, indexes: Indexes) -> tuple[Symbols, Shifted]:
        """The symbols (n,) of one step from their scale indexes (n,), and which are of the second quantiser."""
        symbols, shifted = np.zeros(len(indexes), np.int32), np.zeros(len(indexes), np.uint8)
        for at, table in runs(indexes, symbols, shifted):
            symbols[at] = self._run(len(at), table)
        return symbols, shifted

    def _run(self, count: int, row: int) -> Symbols:
        half = self.models.half[row]
        values = self._decode(self.models.rows[row], count) - half
        for at in np.flatnonzero(values > half):
            values[at] = self._escape(half)
        return values

    def _escape(self, half: int) -> int:
        prefix = 0
        while self._decode(self.models.bit, 1)[0]:
            prefix += 1
            if prefix > GOLOMB_MAX_PREFIX:
                raise FormatError("tile: an escaped symbol is too large")
        *rest, negative = self._decode(self.models.bit, prefix + GOLOMB_ORDER + 1).tolist()
        code = 1
        for bit in rest:
            code = code << 1 | bit
        magnitude = code - (1 << GOLOMB_ORDER) + half + 1
        if magnitude > SYMBOL_LIMIT:
            raise FormatError(f"tile: an escaped symbol is {magnitude}, limit {SYMBOL_LIMIT}")
        return -magnitude if negative else magnitude

    def _decode(self, model: constriction.stream.model.Model, count: int) -> Symbols:
        try:
            symbols: Symbols = self.coder.decode(model, count)
        except (AssertionError, ValueError) as error:
            raise FormatError("tile: the entropy-coded data is invalid") from error
        return symbols

    def finish(self) -> None:
        """Check that nothing is left over."""
        if not self.coder.maybe_exhausted():
            raise FormatError("tile: data left over after the last symbol")


def _escape_bits(value: int, half: int) -> Symbols:
    """Exp-Golomb code of order 4 of |value| - half - 1: unary prefix of ones, a zero, the rest; then the sign."""
    code = abs(value) - half - 1 + (1 << GOLOMB_ORDER)
    length = code.bit_length() - 1
    prefix = [1] * (length - GOLOMB_ORDER) + [0]
    rest = [code >> i & 1 for i in reversed(range(length))]
    return np.array([*prefix, *rest, int(value < 0)], np.int32)
