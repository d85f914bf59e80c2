"""Dependent quantisation: what a residual's symbol stands for depends on the symbols before it. NORMATIVE.

There are two quantisers, and a state of eight says which one a symbol is of: even states the first, odd states the second.

    first      r = k                  … -2     -1      0      1      2 …
    second     r = k - sgn(k) / 2     … -3/2   -1/2    0     1/2    3/2 …

The parity of the symbol k leads to the next state. So a symbol costs what one of a quantiser with steps of 1 costs, but the
encoder may choose the path through the states, and with it values twice as dense: at equal bits the squared error is up to a
fifth smaller (trellis-coded quantisation, Marcellin & Fischer, IEEE Trans. Comm. 1990; with these quantisers and parities Schwarz
et al., "Hybrid video coding with trellis-coded quantization", DCC 2019). Symbols that are nearly always zero have nothing to
choose: those of small scale indexes are of the first quantiser and leave the state alone.

So that symbols come in arrays all the same, those with a state are dealt into rows. Each column is a lane with a state of its
own, and a row can be coded as soon as the one before it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .alphabet import INDEXES

FIRST_DEPENDENT = 12
"""The least scale index whose symbols have a state (a standard deviation of 0.37)."""
ROWS = 64
"""A step has at most so many rows; half as many, in twice as many lanes, lose 0.2 % of R + λ·D."""
NEXT = np.array([(0, 2), (5, 7), (1, 3), (6, 4), (2, 0), (4, 6), (3, 1), (7, 5)], np.uint8)
"""The state after a symbol, by the state before and the symbol's parity. Lanes begin in state 0."""
TABLES = INDEXES - 1 + INDEXES - FIRST_DEPENDENT
"""How many tables there are: for the first quantiser from index 1 on, then for the second from FIRST_DEPENDENT on."""

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]
Shifted = npt.NDArray[np.integer[Any]]
"""1 for symbols of the second quantiser, 0 for those of the first."""


def residuals_of(symbols: Symbols, shifted: Shifted | int) -> npt.NDArray[np.float32]:
    """What symbols (n,) stand for, in quantization steps."""
    return (symbols - 0.5 * shifted * np.sign(symbols)).astype(np.float32)


def tables_of(indexes: Indexes, shifted: Shifted | int) -> npt.NDArray[np.uint8]:
    """Which table the symbols (n,) of scale indexes ≥ 1 have, 0..TABLES-1."""
    return (indexes - 1 + (INDEXES - FIRST_DEPENDENT) * shifted).astype(np.uint8)


class Order:
    """The order in which the symbols of a step are coded, by their scale indexes (n,); those of index 0 are not.

    First come those of the first quantiser, ``plain`` (p,), sorted by index, then the others, so sorted, in ``rows``, which are
    equally long but for the last.
    """

    def __init__(self, indexes: Indexes) -> None:
        self.count = len(indexes)
        order = np.argsort(indexes, kind="stable")
        first, dependent = np.searchsorted(indexes[order], (1, FIRST_DEPENDENT))
        self.plain = order[first:dependent]
        self.dependent = order[dependent:]
        self.width = max(1, -(-len(self.dependent) // ROWS))
        self.rows = [self.dependent[start : start + self.width] for start in range(0, len(self.dependent), self.width)]


def runs(indexes: Indexes, symbols: Symbols, shifted: Shifted) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """What of a step is coded together, in order: which symbols, and their table. They don't depend on one another.

    A run's ``symbols`` (n,) must be known before the next run is asked for; ``shifted`` (n,) is filled in.
    """
    order = Order(indexes)
    yield from by_table(order.plain, tables_of(indexes[order.plain], 0))
    states = np.zeros(order.width, np.uint8)
    for row in order.rows:
        before = states[: len(row)]
        shifted[row] = before & 1
        yield from by_table(row, tables_of(indexes[row], before & 1))
        states[: len(row)] = NEXT[before, symbols[row] & 1]


def by_table(row: npt.NDArray[np.intp], tables: npt.NDArray[np.integer[Any]]) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """Symbols that don't depend on one another, whose tables are (n,), table by table, ascending."""
    order = np.argsort(tables, kind="stable")
    in_order = tables[order]
    starts = np.flatnonzero(in_order[1:] != in_order[:-1]) + 1
    for start, stop in pairwise([0, *starts.tolist(), len(order)]):
        if stop > start:
            yield row[order[start:stop]], int(in_order[start])
