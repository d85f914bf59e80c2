"""Dependent quantisation: the encoder finds the cheapest path, the decoder walks the same one, and it pays."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecodec.entropy.alphabet import INDEX_STEP, INDEXES, SCALE_MIN
from aecodec.entropy.coder import Decoder, Encoder, Models
from aecodec.entropy.expected import Expected, expect_each
from aecodec.entropy.quantiser import LARGEST, WEIGHT, bits_of, branches, candidates, quantise, quantise_each
from aecodec.entropy.tables import fit, no_counts
from aecodec.entropy.trellis import FIRST_DEPENDENT, NEXT, TABLES, Order, residuals_of, tables_of
from aecodec.nets.trellis_grad import CURVATURE, TEMPERATURE, Chooser, SymbolCosts

TABLES_FOR_TESTS = fit(*no_counts())
BITS = bits_of(TABLES_FOR_TESTS)

Values = npt.NDArray[np.float32]
Indexes = npt.NDArray[np.uint8]


def drawn(seed: int, count: int, lowest: int = 0, highest: int = INDEXES - 1) -> tuple[Values, Indexes]:
    """Values as their scale indexes lead one to expect."""
    rng = np.random.default_rng(seed)
    indexes = rng.integers(lowest, highest + 1, count).astype(np.uint8)
    return (rng.standard_normal(count) * SCALE_MIN * np.exp(INDEX_STEP * indexes)).astype(np.float32), indexes


def cost(values: Values, indexes: Indexes, symbols: npt.NDArray[np.int32]) -> float:
    """Of the symbols of one lane, in bits; follows the states itself."""
    state, total = 0, 0.0
    for value, index, symbol in zip(values, indexes, symbols, strict=True):
        shifted = state % 2
        residual = symbol - np.sign(symbol) * shifted / 2
        table = int(index) - 1 + (INDEXES - FIRST_DEPENDENT) * shifted
        total += WEIGHT * (value - residual) ** 2 + BITS[table, min(abs(symbol), LARGEST)]
        state = NEXT[state, symbol % 2]
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_no_path_is_cheaper_than_the_one_that_is_found(seed: int, count: int) -> None:
    values, indexes = drawn(seed, count, FIRST_DEPENDENT, 45)
    order = Order(indexes).dependent  # fewer than 64: one lane
    values, indexes = values[order], indexes[order]
    found = cost(values, indexes, quantise(values, indexes, BITS).symbols)
    near = [range(int(np.floor(value)) - 1, int(np.ceil(value)) + 2) for value in values]
    assert found <= min(cost(values, indexes, np.array(symbols)) for symbols in product(*near)) + 1e-3


@given(st.integers(0, 2**32 - 1), st.integers(0, 500))
def test_the_decoder_walks_the_path_of_the_encoder(seed: int, count: int) -> None:
    values, indexes = drawn(seed, count)
    chosen = quantise(values, indexes, BITS)
    models = Models(TABLES_FOR_TESTS.residual)
    encoder = Encoder(models)
    encoder.step(chosen.symbols, indexes)
    symbols, shifted = Decoder(models, encoder.finish()).step(indexes)
    assert np.array_equal(residuals_of(symbols, shifted), chosen.residuals)


@given(st.integers(0, 2**32 - 1), st.integers(0, 500))
def test_values_are_never_farther_than_a_branch_is_wide(seed: int, count: int) -> None:
    values, indexes = drawn(seed, count, lowest=1)
    chosen = quantise(values, indexes, BITS)
    assert np.abs(chosen.residuals - values).max(initial=0) <= 2
    assert (chosen.residuals * values >= 0).all()


def test_index_zero_is_always_zero() -> None:
    chosen = quantise(np.array([3.0, -0.7], np.float32), np.zeros(2, np.uint8), BITS)
    assert not any(array.any() for array in chosen)


def test_small_scale_indexes_are_of_the_first_quantiser() -> None:
    values, indexes = drawn(0, 2_000, 1, FIRST_DEPENDENT - 1)
    assert not quantise(5 * values, indexes, BITS).shifted.any()


@pytest.mark.parametrize("index", [30, 40, 50])
def test_it_has_a_sixth_less_error_than_rounding_and_costs_less(index: int) -> None:
    values, indexes = drawn(1, 20_000, index, index)
    chosen = quantise(values, indexes, BITS, weight=6.0)
    bits = BITS[tables_of(indexes, chosen.shifted), np.minimum(np.abs(chosen.symbols), LARGEST)].mean()
    error = np.square(chosen.residuals - values).mean()
    rounded = np.round(values)
    bits_rounded = BITS[index - 1, np.minimum(np.abs(rounded), LARGEST).astype(np.int64)].mean()
    error_rounded = np.square(rounded - values).mean()
    assert error < 5 / 6 * error_rounded
    assert bits + 6 * error < bits_rounded + 6 * error_rounded - 0.05


def test_the_trellis_is_one() -> None:
    """Each state is reached from two, and by both quantisers' symbols alike: no path is a dead end."""
    reached = np.bincount(NEXT.ravel(), minlength=len(NEXT))
    assert (reached == 2).all()
    assert len(set(map(tuple, NEXT.tolist()))) == len(NEXT)


# What is expected of a path drawn at random.


def expect(values: Values, indexes: Indexes, weight: float, temperature: float) -> Expected:
    return Expected(*(array[0] for array in expect_each(candidates(values[None], indexes[None], BITS, weight), temperature)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.5, 4.0]))
def test_what_is_expected_is_the_mean_over_all_paths(seed: int, count: int, temperature: float) -> None:
    values, indexes = drawn(seed, count, FIRST_DEPENDENT, 45)
    order = Order(indexes).dependent
    values, indexes = values[order], indexes[order]
    costs, best = branches(np.abs(values), indexes, BITS, WEIGHT, quantisers=2)
    total, residuals, bits = [], [], []
    for parities in product((0, 1), repeat=count):
        path, state = [], 0
        for parity in parities:
            path.append(2 * (state % 2) + parity)
            state = NEXT[state, parity]
        at = np.arange(count)
        symbols, shifted = best[path, at], np.array(path) // 2
        total.append(costs[path, at].sum())
        residuals.append(np.sign(values) * residuals_of(symbols, shifted))
        bits.append(BITS[tables_of(indexes, shifted), np.minimum(symbols, LARGEST)])
    probability = np.exp((min(total) - np.array(total)) / temperature)
    probability /= probability.sum()
    found = expect(values, indexes, WEIGHT, temperature)
    assert found.residual == pytest.approx(probability @ np.array(residuals), abs=1e-3)
    assert found.bits == pytest.approx(probability @ np.array(bits), abs=1e-2)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_slopes_are_derivatives(temperature: float) -> None:
    """Exactly so for symbols that depend on no other: those of the first quantiser, and lanes of one symbol."""
    step = np.float32(1e-2)
    for index in (5, FIRST_DEPENDENT - 1, 20, 40):
        for value in (-1.2, -0.3, 0.1, 0.4, 2.3):
            at = [np.array([value + side * step], np.float32) for side in (-1, 0, 1)]
            below, here, above = (expect(v, np.array([index], np.uint8), 8.0, temperature) for v in at)
            for name in ("residual", "bits", "variance"):
                measured = (getattr(above, name) - getattr(below, name)) / (2 * step)
                assert getattr(here, f"{name}_slope") == pytest.approx(measured, abs=0.02, rel=0.02)


def test_all_tables_are_used() -> None:
    indexes = np.arange(1, INDEXES, dtype=np.uint8)
    first, second = tables_of(indexes, 0), tables_of(indexes[FIRST_DEPENDENT - 1 :], 1)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(TABLES))


# In training.


def test_training_chooses_as_the_encoder_does() -> None:
    costs = SymbolCosts()
    costs.load(TABLES_FOR_TESTS)
    values, indexes = (array.reshape(2, -1) for array in drawn(3, 2 * 192))
    choose = Chooser(costs)
    choice = choose(torch.from_numpy(values).requires_grad_(), torch.from_numpy(indexes.astype(np.float32)))
    for b in range(2):
        chosen = quantise(values[b], indexes[b], choose.bits)
        assert np.array_equal(choice.residual.detach()[b], chosen.residuals)
        assert np.array_equal(choice.symbol[b], chosen.symbols)
    assert choose.seen.sum() == (indexes > 0).sum()


@pytest.mark.parametrize("index", [5, FIRST_DEPENDENT - 1])
@pytest.mark.parametrize("value", [-1.3, -0.7, 0.1, 0.45, 0.55, 2.2])
def test_in_training_values_have_the_gradient_of_the_expected_cost(index: int, value: float) -> None:
    """Measured with a decoder that wants 0.8: bits + CURVATURE·(r - 0.8)², of which it tells the slope at what was chosen."""
    costs = SymbolCosts()
    costs.load(TABLES_FOR_TESTS)
    values = torch.full((1, 1), value, requires_grad=True)
    choice = Chooser(costs)(values, torch.full((1, 1), float(index)))
    (choice.bits + CURVATURE * (choice.residual - 0.8).square()).sum().backward()
    assert values.grad is not None

    def expected_cost(at: float) -> float:
        tried = candidates(np.array([[at]], np.float32), np.array([[index]], np.uint8), costs.bits())
        own = expect_each(tried, TEMPERATURE)
        return float((own.bits + CURVATURE * (own.variance + (own.residual - 0.8) ** 2)).item())

    measured = (expected_cost(value + 1e-2) - expected_cost(value - 1e-2)) / 2e-2
    assert values.grad.item() == pytest.approx(measured, abs=0.03, rel=0.03)


def test_costs_that_are_loaded_are_those_of_the_tables() -> None:
    costs = SymbolCosts()
    costs.load(TABLES_FOR_TESTS)
    assert costs.bits()[:, :LARGEST] == pytest.approx(BITS[:, :LARGEST], abs=0.01)


def test_the_largest_symbol_costs_what_it_costs_alone() -> None:
    """It is counted with all larger ones; if it cost what they do together, the encoder would prefer it to smaller ones."""
    bits = SymbolCosts().bits()
    assert (np.diff(bits[50:63, LARGEST - 2 :]) > 0).all()


def test_tables_have_the_costs_that_were_counted() -> None:
    """As far as frequencies of at least 1 in 65,536 can say."""
    costs = SymbolCosts()
    costs.counts[5] = 1e-3
    costs.counts[5, 0] = 5000
    costs.counts[5, 1] = 10  # a Gaussian would say 66
    costs.counts[40, 3] = 50
    wanted, found = costs.bits(), bits_of(costs.tables())
    common = wanted < 10.1
    assert found[common] == pytest.approx(wanted[common], abs=0.05)


def test_costs_follow_the_symbols_that_are_seen() -> None:
    costs = SymbolCosts()
    before = costs.bits()[20, 3]
    seen = torch.zeros_like(costs.counts)
    seen[20, 3] = 1000
    costs.remember(seen)
    assert costs.bits()[20, 3] < before - 1


def test_a_run_from_before_there_were_counts_goes_on() -> None:
    costs = SymbolCosts()
    costs.load_state_dict({})
    assert torch.equal(costs.counts, costs.prior)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 300))
def test_many_images_are_treated_as_each_on_its_own(seed: int, images: int, count: int) -> None:
    values, indexes = (array.reshape(images, count) for array in drawn(seed, images * count))
    indexes[0, : count // 2] = 0  # so that lanes differ in number and length
    tried = candidates(values, indexes, BITS)
    together = quantise_each(tried)
    for image in range(images):
        for mine, theirs in zip(quantise(values[image], indexes[image], BITS), together, strict=True):
            assert np.array_equal(mine, theirs[image])
    expected = expect_each(tried, TEMPERATURE)
    for image in range(images):
        for mine, theirs in zip(expect(values[image], indexes[image], WEIGHT, TEMPERATURE), expected, strict=True):
            np.testing.assert_allclose(mine, theirs[image], atol=1e-5)
