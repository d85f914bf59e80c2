"""What a residual becomes if the path through the trellis is drawn at random: expected values, bits, and their slopes. No torch.

At a temperature T a path has a probability in proportion to exp(-cost / T), its cost that of `quantiser.py`: at T → 0 it is
the path that the encoder chooses, at a high T all values near a residual play a part, and what is expected depends smoothly on
the residual. Probabilities of single symbols come from the forward–backward algorithm (Bahl et al., 1974).

Slopes leave aside that other symbols of a lane would change, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .quantiser import BRANCH, FROM, LARGEST, STATES, Candidates, Floats, in_rows, out_of_rows
from .trellis import NEXT, residuals_of, tables_of

Doubles = npt.NDArray[np.float64]

UNLIKELY = 150.0
"""Nothing is taken to be less likely than exp(-UNLIKELY) times another, so that no lane comes to a dead end."""

_STATE = np.arange(STATES)
_EVEN = 2 * (_STATE % 2)
"""The branch by which each state is left with an even symbol; with an odd one it is the next."""


class Expected(NamedTuple):
    """Of symbols, all float32 and of one shape; zero where the scale index is 0."""

    residual: Floats
    bits: Floats
    variance: Floats
    """of the residual"""
    residual_slope: Floats
    """its derivative with respect to the value; those of the others follow"""
    bits_slope: Floats
    variance_slope: Floats


def expect_each(tried: Candidates, temperature: float) -> Expected:
    """What is expected of the values (B, n) of a step of many images."""
    signs, indexes, orders = tried.signs.ravel(), tried.indexes.ravel(), tried.orders
    found = np.zeros((len(Expected._fields), len(signs)), np.float32)
    for part, cost, best in tried.branches:
        sign, own = signs[part], indexes[part]
        likely = _likelihoods(cost.astype(np.float64) / temperature)
        exact = likely / likely.sum(0) if len(cost) == 2 else out_of_rows(_shares(in_rows(likely, orders, fill=1)), orders)
        share, shift = exact.astype(np.float32), np.arange(len(cost), dtype=np.uint8)[:, None] // 2
        cost_in_bits = tried.bits[tables_of(own, shift), np.minimum(best, LARGEST)]
        residual = residuals_of(best, shift)
        mean, mean_bits = (np.einsum("bn,bn->n", share, what) for what in (residual, cost_in_bits))
        apart = residual - mean
        first = share * apart  # of which the sum over branches is 0
        second = first * apart
        variance = second.sum(0)
        slope = np.float32(2 * tried.weight / temperature)
        bits_slope, variance_slope = (
            slope * np.einsum("bn,bn->n", one, two) for one, two in ((first, cost_in_bits), (second, apart))
        )
        found[:, part] = mean * sign, mean_bits, variance, slope * variance, bits_slope * sign, variance_slope * sign
    return Expected(*found.reshape(len(found), *tried.indexes.shape))


def _likelihoods(cost: Doubles) -> Doubles:
    """exp(-cost) of the branches (2 or 4, n) but for a factor, first of those of a quantiser, then of the quantisers."""
    of_two = cost.reshape(len(cost) // 2, 2, cost.shape[1])
    least = of_two.min(1, keepdims=True)
    above = np.minimum(of_two - least, UNLIKELY) + np.minimum(least - least.min(0), UNLIKELY)
    likely: Doubles = np.exp(-above).reshape(cost.shape)
    return likely


def _shares(by_row: Doubles) -> Doubles:
    """The probability of each branch (rows, 4, lanes), given how likely it would be on its own."""
    before = np.empty((len(by_row), STATES, by_row.shape[2]))  # probability of a state, given the rows before
    state = np.zeros(before.shape[1:])
    state[0] = 1
    for row, step in enumerate(by_row):
        before[row] = state
        one, two = (state[FROM[:, i]] * step[BRANCH[:, i]] for i in (0, 1))
        state = (one + two) / (one + two).sum(0)
    shares = np.empty_like(by_row)
    after = np.ones(before.shape[1:])  # how likely the rows after are, by state
    for row in reversed(range(len(by_row))):
        ways = [by_row[row][_EVEN + parity] * after[NEXT[:, parity]] for parity in (0, 1)]
        for parity, way in enumerate(ways):
            both = before[row] * way
            shares[row, parity], shares[row, 2 + parity] = both[::2].sum(0), both[1::2].sum(0)
        after = ways[0] + ways[1]
        after /= after.sum(0)
    shares /= shares.sum(1, keepdims=True)
    return shares
