"""A second decoder of the entropy layer: docs/format.md line by line in plain integers, without aecodec. Slow on purpose.

It shows that the specification is enough, and is a witness against which the real one is tested.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Tensors = Mapping[str, npt.NDArray[np.generic]]

WORD = 1 << 32
MASK = (1 << 64) - 1


class RangeDecoder:
    """Section "Range coder"."""

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(-len(data) % 4)
        self.words = (int.from_bytes(padded[i : i + 4], "little") for i in range(0, len(padded), 4))
        self.low, self.span = 0, MASK
        self.point = next(self.words, 0) << 32 | next(self.words, 0)

    def symbol(self, bounds: Sequence[int]) -> int:
        """The next symbol 0..n-1; ``bounds`` are n + 1 rising integers from 0 to 2^24."""
        unit = self.span >> 24
        at = ((self.point - self.low) & MASK) // unit
        if at >= 1 << 24:
            raise ValueError("illegal")
        found = bisect_right(bounds, at) - 1
        self.low = (self.low + unit * bounds[found]) & MASK
        self.span = unit * (bounds[found + 1] - bounds[found])
        if self.span < WORD:
            self.low = self.low << 32 & MASK
            self.span <<= 32
            self.point = self.point << 32 & MASK | next(self.words, 0)
        return found

    def bit(self) -> int:
        """A bit, both values equally likely."""
        return self.symbol((0, 1 << 23, 1 << 24))

    def finished(self) -> bool:
        """Whether the payload may end after the last symbol that was read."""
        return next(self.words, None) is None and (self.point - self.low) & MASK < (1 << 33) - 1


def bounds_of(frequencies: Sequence[int]) -> list[int]:
    """Frequencies that sum to 2^16 as bounds of 24 bits."""
    n = len(frequencies)
    below = accumulate(frequencies[:-1], initial=0)
    return [i + f * ((1 << 24) - n) // 65536 for i, f in enumerate(below)] + [1 << 24]


def read_hyper(decoder: RangeDecoder, tables: Sequence[Sequence[int]], numbers: Sequence[int]) -> list[int]:
    """Section "ẑ": the k of one step from the numbers of their tables."""
    symbols = [0] * len(numbers)
    _read_row(decoder, tables, range(len(numbers)), numbers, symbols)
    return symbols


NEXT = ((0, 2), (5, 7), (1, 3), (6, 4), (2, 0), (4, 6), (3, 1), (7, 5))


def read_step(decoder: RangeDecoder, tables: Sequence[Sequence[int]], indexes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Sections "Order" and "Symbols": those of one step from their scale indexes, and 1 for those of the second quantiser."""
    symbols, second = [0] * len(indexes), [0] * len(indexes)
    order = sorted((i for i, index in enumerate(indexes) if index > 0), key=lambda i: indexes[i])
    plain, dependent = [i for i in order if indexes[i] < 12], [i for i in order if indexes[i] >= 12]
    _read_row(decoder, tables, plain, [index - 1 for index in indexes], symbols)
    width = -(-len(dependent) // 64)
    states = [0] * width
    for start in range(0, len(dependent), max(1, width)):
        row = dependent[start : start + width]
        for lane, i in enumerate(row):
            second[i] = states[lane] % 2
        numbers = [index - 1 + 52 * of_second for index, of_second in zip(indexes, second, strict=True)]
        _read_row(decoder, tables, row, numbers, symbols)
        for lane, i in enumerate(row):
            states[lane] = NEXT[states[lane]][symbols[i] % 2]
    return symbols, second


def _read_row(
    decoder: RangeDecoder, tables: Sequence[Sequence[int]], row: Sequence[int], table_of: Sequence[int], symbols: list[int]
) -> None:
    for table in sorted({table_of[i] for i in row}):
        run = [i for i in row if table_of[i] == table]
        bounds, half = bounds_of(tables[table]), len(tables[table]) // 2 - 1
        for i in run:
            symbols[i] = decoder.symbol(bounds) - half
        for i in run:
            if symbols[i] > half:
                symbols[i] = _read_escape(decoder, half)


def _read_escape(decoder: RangeDecoder, half: int) -> int:
    bits = 4
    while decoder.bit():
        bits += 1
    code = 1
    for _ in range(bits):
        code = 2 * code + decoder.bit()
    magnitude = code - 16 + half + 1
    return -magnitude if decoder.bit() else magnitude


def read_tile(data: bytes, tensors: Tensors, level: int, height: int, width: int) -> tuple[Integers, Integers, Integers]:
    """A tile of (height, width) latents → ẑ (nz, h, w), symbols (M, height, width), and 1 for those of the second quantiser."""
    decoder = RangeDecoder(data)
    z_hat = read_z_hat(decoder, tensors, level, -(-height // 4), -(-width // 4))
    tables = tables_of(tensors, "residual")
    features = scale_features(tensors, z_hat)[:, :height, :width]
    m = tensors["scales.offset"].shape[1]
    symbols, second = (np.zeros((m, height, width), np.int64) for _ in range(2))
    for step in range(4):
        indexes = scale_indexes(tensors, step, features, symbols, level)
        places = step_places(m, height, width, step)
        found = read_step(decoder, tables, [int(indexes[place]) for place in places])
        for place, symbol, of_second in zip(places, *found, strict=True):
            symbols[place], second[place] = symbol, of_second
    if not decoder.finished():
        raise ValueError("illegal: data left over")
    return z_hat, symbols, second


def read_z_hat(decoder: RangeDecoder, tensors: Tensors, level: int, height: int, width: int) -> Integers:
    """Section "ẑ": (nz, height, width)."""
    nz = tensors["hyper.offset"].shape[2] // 2
    z_hat = np.zeros((nz, height, width), np.int64)
    tables = tables_of(tensors, "hyper")
    for step in range(4):
        wholes, numbers = hyper_tables(tensors, step, z_hat, level)
        places = step_places(nz, height, width, step)
        found = read_hyper(decoder, tables, [int(numbers[place]) for place in places])
        for place, symbol in zip(places, found, strict=True):
            z_hat[place] = wholes[place] + symbol
            if abs(z_hat[place]) > 63:
                raise ValueError("illegal")
    return z_hat


def tables_of(tensors: Tensors, name: str) -> list[list[int]]:
    """The tables of residuals or of ẑ."""
    ends = np.cumsum(2 * tensors[f"tables.{name}.half"].astype(np.int64) + 2)
    return [part.tolist() for part in np.split(tensors[f"tables.{name}"].astype(np.int64), ends[:-1])]


def step_places(m: int, height: int, width: int, step: int) -> list[tuple[int, int, int]]:
    """Section "Four steps": (channel, row, column) of the symbols of a step, in order."""
    places = []
    for phase, (top, left) in enumerate([(0, 0), (1, 1), (0, 1), (1, 0)]):
        group = (step - phase) % 4
        for channel in range(group * m // 4, (group + 1) * m // 4):
            places += [(channel, row, column) for row in range(top, height, 2) for column in range(left, width, 2)]
    return places


# Section "Scale indexes". int64 is wide enough for every sum, so no order of summation matters.


def _layer(tensors: Tensors, name: str, columns: Integers) -> Integers:
    weight, bias, shift = (tensors[f"{name}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
    return _shifted(np.einsum("ok,k...->o...", weight, columns), bias, shift)


def _shifted(sums: Integers, bias: Integers, shift: Integers) -> Integers:
    column = (-1, 1, 1)
    return (sums + bias.reshape(column) + (1 << shift.reshape(column) - 1)) >> shift.reshape(column)


def _neighbourhoods(a: Integers) -> Integers:
    """(C, H, W) → (C, 9, H, W): the 3×3 samples around each, row by row, zero outside."""
    _, height, width = a.shape
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1)))
    return np.stack([padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], 1)


def scale_features(tensors: Tensors, z_hat: Integers) -> Integers:
    """(C, 4·h, 4·w)."""
    a = z_hat
    for conv, expand in (("trunk0", "trunk1"), ("trunk2", "trunk3")):
        _, height, width = a.shape
        a = np.clip(_layer(tensors, f"scales.{conv}", _neighbourhoods(a).reshape(-1, height, width)), 0, 127)
        a = np.clip(_layer(tensors, f"scales.{expand}", a), 0, 127)
        up = np.zeros((len(a) // 4, 2 * height, 2 * width), np.int64)
        for y in range(2):
            for x in range(2):
                up[:, y::2, x::2] = a[2 * y + x :: 4]
        a = up
    return a


def scale_indexes(tensors: Tensors, step: int, features: Integers, symbols: Integers, level: int) -> Integers:
    """(M, H, W); those of the step are used."""
    a = features
    if step:
        h = np.clip(_layer(tensors, f"scales.reduce{step}", np.minimum(np.abs(symbols), 15)), -127, 127)
        taps = tensors[f"scales.spread{step}.weight"].astype(np.int64)
        bias, shift = (tensors[f"scales.spread{step}.{part}"].astype(np.int64) for part in ("bias", "shift"))
        h = np.clip(_shifted(np.einsum("ck,ckyx->cyx", taps, _neighbourhoods(h)), bias, shift), 0, 127)
        a = np.concatenate([h, a])
    offset = _row_of(tensors["scales.offset"].astype(np.int64), level)
    indexes: Integers = np.clip((_layer(tensors, f"scales.out{step}", a) + offset[:, None, None] + 8) // 16, 0, 63)
    return indexes


def hyper_tables(tensors: Tensors, step: int, z_hat: Integers, level: int) -> tuple[Integers, Integers]:
    """(nz, h, w): the w of a step, and the numbers of the tables."""
    _, height, width = z_hat.shape
    b = (
        np.zeros((2 * len(z_hat), height, width), np.int64)
        + _row_of(tensors["hyper.offset"][step].astype(np.int64), level)[:, None, None]
    )
    if step:
        hidden = _layer(tensors, f"hyper.look{step}", _neighbourhoods(z_hat).reshape(-1, height, width))
        b = b + _layer(tensors, f"hyper.out{step}", np.clip(hidden, 0, 127))
    mean, scale = np.clip(b[: len(z_hat)], -504, 504), b[len(z_hat) :]
    return (mean + 4) // 8, np.clip((scale + 8) // 16, 0, 23) * 8 + (mean + 4) % 8


def _row_of(table: Integers, level: int) -> Integers:
    node = min(level // 1024, 7)
    part = level - 1024 * node
    row: Integers = (table[node] * (1024 - part) + table[node + 1] * part + 512) >> 10
    return row


def level_of(tensors: Tensors, quality: int) -> int:
    """Section "Quality"."""
    levels: list[int] = tensors["quality.levels"].tolist()
    whole, part = divmod(quality, 100)
    return (levels[whole] * (100 - part) + levels[min(whole + 1, 100)] * part + 50) // 100
