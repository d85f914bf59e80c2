"""How the encoder chooses symbols: the path through the trellis (`trellis.py`) that costs least in bits and error.

The latent is scaled so that its quantization step is 1 at every quality, and in these units a squared error costs about the same
everywhere: between 4 and 9 bits of λ·255²·MSE per squared step, channel by channel (measured; high-rate theory says
6 / (2·ln 2) = 4.3 to 8.7). More weight than that pays, because a wrong value also misleads the contexts that see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .tables import TOTAL, Tables
from .trellis import NEXT, TABLES, Indexes, Order, Shifted, Symbols, residuals_of, tables_of

WEIGHT = 11.0
"""Bits that one squared step of error counts for. On photographs learned from and kept apart 9 is 0.23 % worse, 12 0.04 %."""
LARGEST = 31
"""Larger symbols are taken to cost what this one costs."""

Floats = npt.NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.float64, np.intp)
Bits = npt.NDArray[np.float32]
"""What a symbol costs with its sign, by table and |symbol|: (TABLES, LARGEST + 1)."""

STATES = len(NEXT)
_EDGES = [[(s, parity) for s in range(STATES) for parity in (0, 1) if NEXT[s, parity] == state] for state in range(STATES)]
FROM = np.array([[s for s, _ in edges] for edges in _EDGES])
"""The two states that lead to each, (STATES, 2)."""
BRANCH = np.array([[2 * (s % 2) + parity for s, parity in edges] for edges in _EDGES])
"""By which *branch* they do, (STATES, 2): 2·quantiser + parity, 0..3."""


class Quantised(NamedTuple):
    """Symbols, which quantiser each is of, and what they stand for, all (n,); zero where the scale index is 0."""

    symbols: Symbols
    shifted: Shifted
    residuals: Floats


@dataclass(frozen=True)
class Candidates:
    """The symbols that are worth a try for the values of a step of many images, and what they cost."""

    signs: Floats
    """of the values, (B, n)"""
    indexes: Indexes
    """their scale indexes, (B, n)"""
    bits: Bits
    weight: float
    orders: Sequence[Order]
    """of each image"""
    branches: Sequence[tuple[npt.NDArray[np.intp], Floats, Symbols]]
    """of one quantiser, then of two: which of all values (B·n,) they are of, costs and |symbols| as `branches` says"""


def bits_of(tables: Tables) -> Bits:
    """What the symbols of tables cost."""
    bits = np.empty((TABLES, LARGEST + 1), np.float32)
    for row, frequencies in zip(bits, tables.residual, strict=True):
        half = len(frequencies) // 2 - 1
        either = frequencies[half:-1] + frequencies[half::-1]  # of 0, ±1, ±2 …; the two signs may differ by one
        row[:] = -np.log2(either[np.minimum(np.arange(LARGEST + 1), half)] / (2 * TOTAL))
    return bits


def quantise(values: Floats, indexes: Indexes, bits: Bits, weight: float = WEIGHT) -> Quantised:
    """Symbols for values (n,) with the scale indexes (n,), by the Viterbi algorithm, all lanes of a step at once."""
    symbols, shifted, residuals = quantise_each(candidates(values[None], indexes[None], bits, weight))
    return Quantised(symbols[0], shifted[0], residuals[0])


def candidates(values: Floats, indexes: Indexes, bits: Bits, weight: float = WEIGHT) -> Candidates:
    """What there is to choose from for a step of many images of one size, values and scale indexes (B, n)."""
    orders = [Order(own) for own in indexes]
    size, of_index = np.abs(values).ravel(), indexes.ravel()
    tried = [(part, *branches(size[part], of_index[part], bits, weight, quantisers)) for quantisers, part in parts_of(orders)]
    return Candidates(np.sign(values), indexes, bits, weight, orders, tried)


def quantise_each(tried: Candidates) -> Quantised:
    """`quantise` for many images, all (B, n): what takes long is the number of rows, not their width."""
    sizes, second = np.zeros(tried.indexes.size, np.int32), np.zeros(tried.indexes.size, np.uint8)
    for part, cost, best in tried.branches:
        branch = cost.argmin(0) if len(cost) == 2 else out_of_rows(_cheapest_path(in_rows(cost, tried.orders)), tried.orders)[0]
        sizes[part] = best[branch, np.arange(len(part))]
        second[part] = branch >> 1
    shape = tried.indexes.shape
    symbols, shifted = tried.signs.astype(np.int32) * sizes.reshape(shape), second.reshape(shape)
    return Quantised(symbols, shifted, residuals_of(symbols, shifted))


def branches(size: Floats, indexes: Indexes, bits: Bits, weight: float, quantisers: int) -> tuple[Floats, Symbols]:
    """For each branch of one or two quantisers (2·quantisers, n) the best |symbol| for magnitudes ``size`` (n,), and its cost.

    Of a branch, whose values are 2 apart, those next below and above the magnitude are tried: none farther off can be worth it.
    """
    cost = np.full((2 * quantisers, len(size)), np.inf, np.float32)
    best = np.zeros(cost.shape, np.int32)
    for branch in range(len(cost)):
        shift, parity = divmod(branch, 2)
        row = tables_of(indexes, shift).astype(np.intp) * (LARGEST + 1)
        below = np.floor((size + np.float32(0.5 * shift - parity)) / 2).astype(np.int32) * 2 + parity
        for symbol in (np.maximum(below, parity), below + 2):
            error = size - np.maximum(symbol - np.float32(0.5 * shift), 0)
            total = error * error * np.float32(weight) + bits.ravel()[row + np.minimum(symbol, LARGEST)]
            better = total < cost[branch]
            np.copyto(cost[branch], total, where=better)
            np.copyto(best[branch], symbol, where=better)
    return cost, best


def parts_of(orders: Sequence[Order]) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """How many quantisers symbols have to choose from, and where in the values of many images, one after another, they are."""
    starts = np.cumsum([0, *(order.count for order in orders)])
    plain = [start + order.plain for start, order in zip(starts, orders, strict=False)]
    dependent = [start + order.dependent for start, order in zip(starts, orders, strict=False)]
    return [(1, np.concatenate(plain)), (2, np.concatenate(dependent))]


def in_rows(values: npt.NDArray[Number], orders: Sequence[Order], fill: float = 0) -> npt.NDArray[Number]:
    """values (k, n) of dependent symbols, image by image → (rows, k, lanes), all lanes side by side, ``fill`` at their ends."""
    lanes = np.cumsum([order.width for order in orders])
    by_row = np.full((max(len(order.rows) for order in orders), len(values), lanes[-1]), fill, values.dtype)
    ends = np.cumsum([len(order.dependent) for order in orders])
    for order, part, end in zip(orders, np.split(values, ends[:-1], axis=1), lanes, strict=True):
        whole = np.full((len(values), len(order.rows) * order.width), fill, values.dtype)
        whole[:, : part.shape[1]] = part
        by_row[: len(order.rows), :, end - order.width : end] = whole.reshape(len(values), -1, order.width).swapaxes(0, 1)
    return by_row


def out_of_rows(by_row: npt.NDArray[Number], orders: Sequence[Order]) -> npt.NDArray[Number]:
    """The reverse of `in_rows`."""
    lanes = np.cumsum([order.width for order in orders])
    own = [by_row[: len(order.rows), :, end - order.width : end] for order, end in zip(orders, lanes, strict=True)]
    flat = [rows.swapaxes(0, 1).reshape(by_row.shape[1], -1) for rows in own]
    return np.concatenate([values[:, : len(order.dependent)] for order, values in zip(orders, flat, strict=True)], axis=1)


def _cheapest_path(by_row: Floats) -> npt.NDArray[np.intp]:
    """The branches (rows, 1, lanes) of the cheapest path through every lane; costs (rows, 4, lanes)."""
    total = np.full((STATES, by_row.shape[2]), np.inf, np.float32)
    total[0] = 0
    second = np.empty((len(by_row), STATES, by_row.shape[2]), np.bool_)  # whether a state is better reached from its second
    for step, better in zip(by_row, second, strict=True):
        one, two = (total[FROM[:, i]] + step[BRANCH[:, i]] for i in (0, 1))
        np.less(two, one, out=better)
        total = np.minimum(one, two)
    state, lane = total.argmin(0), np.arange(by_row.shape[2])
    path = np.empty((len(by_row), 1, len(lane)), np.intp)
    for row in reversed(range(len(by_row))):
        way = second[row][state, lane].astype(np.intp)
        path[row, 0] = BRANCH[state, way]
        state = FROM[state, way]
    return path
