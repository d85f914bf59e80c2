"""Rounding of residuals: never costlier than to the nearest integer, never farther than one step from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aecodec.entropy.tables import TOTAL, Tables
from aecodec.model.scales import INDEXES
from aecodec.model.weights import DEFAULT, Weights
from aecodec.rounding import LARGEST, WEIGHT, Rounding


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.load(Weights.load(DEFAULT).tensors)


def bits(tables: Tables, index: int, residuals: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    frequencies = tables.residual[index - 1]
    half = len(frequencies) // 2 - 1
    inside = np.abs(residuals) <= half
    return -np.log2(frequencies[np.where(inside, residuals + half, -1)] / TOTAL)


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(1, INDEXES - 1))
@example(seed=101, index=3)  # -2 is twice as frequent as 2 there
def test_rounding_never_costs_more_than_the_nearest_integer(tables: Tables, seed: int, index: int) -> None:
    values = np.random.default_rng(seed).normal(0, 4, 200).astype(np.float32)
    nearest = np.floor(values + np.float32(0.5)).astype(np.int32)
    rounded = Rounding(tables).round(values, np.full(200, index, np.uint8))
    seen = np.abs(nearest) <= min(len(tables.residual[index - 1]) // 2 - 1, LARGEST)  # what the thresholds know
    cost = [WEIGHT * np.square(values - r) + bits(tables, index, r) for r in (nearest, rounded)]
    assert np.all(cost[1][seen] <= cost[0][seen] + 1e-3)
    assert np.all(np.abs(rounded) <= np.abs(nearest))
    assert np.all(np.abs(rounded - nearest) <= 1)


def test_a_small_residual_that_is_expensive_becomes_zero_and_a_large_one_stays(tables: Tables) -> None:
    values = np.array([0.51, -0.51, 0.9, 7.9, 0.49], np.float32)
    assert Rounding(tables).round(values, np.full(5, 3, np.uint8)).tolist()[:3] == [0, 0, 1]
    assert Rounding(tables).round(values, np.full(5, 50, np.uint8)).tolist() == [1, -1, 1, 8, 0]


def test_index_zero_is_always_zero(tables: Tables) -> None:
    assert not Rounding(tables).round(np.array([3.0, -0.7], np.float32), np.zeros(2, np.uint8)).any()
