"""What is expected of ẑ comes from integers alone, as training saw it; and the tables fit the distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aecodec.entropy.alphabet import HYPER_INDEX_STEP, HYPER_INDEXES, HYPER_SCALE_MIN, HYPER_TABLES, MEAN_STEPS, Z_MAX
from aecodec.entropy.tables import TOTAL, fit, no_counts
from aecodec.model.hyper_path import Expected, HyperPath
from aecodec.model.integers import Integers
from aecodec.model.quality import LEVELS_PER_NODE, MAX_LEVEL, NODES, node_weights
from aecodec.model.steps import STEPS, Part, gather, step_masks
from aecodec.nets.hyper_net import HyperNet, logistic_bits

NZ = 8


@pytest.fixture(scope="module")
def net() -> HyperNet:
    """A network with weights of realistic size in every layer."""
    torch.manual_seed(0)
    net = HyperNet(NZ)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.2)
        net.offset[:, :, NZ:] = torch.rand(STEPS, NODES, NZ) * 30 - 3
    return net


def integers(net: HyperNet) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in net.integers().items()}


def drawn(seed: int, height: int, width: int) -> Integers:
    return np.random.default_rng(seed).laplace(0, 4, (NZ, height, width)).clip(-Z_MAX, Z_MAX).astype(np.int32)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, NODES - 1), st.integers(0, 2**32 - 1))
def test_integers_equal_what_training_computes(net: HyperNet, height: int, width: int, node: int, seed: int) -> None:
    level = node * LEVELS_PER_NODE  # between nodes the float twin rounds in another order
    z_hat, nodes = drawn(seed, height, width), torch.from_numpy(node_weights(level))
    masks = step_masks(NZ, height, width)

    def take(parts: tuple[Part, ...], expected: Expected) -> Integers:
        step = seen.pop()
        before = torch.from_numpy(np.where(masks[:step].any(0), z_hat, 0)[None]).float()
        with torch.no_grad():
            mean, log_scale = (gather(array[0].numpy(), parts) for array in net.expected(step, before, nodes))
        index, fraction = np.divmod(expected.table, MEAN_STEPS)
        np.testing.assert_array_equal(expected.whole + fraction / MEAN_STEPS - 0.5, mean)
        np.testing.assert_allclose(np.log(HYPER_SCALE_MIN) + index * HYPER_INDEX_STEP, log_scale, atol=1e-5)
        return gather(z_hat, parts)

    seen = list(reversed(range(STEPS)))
    assert np.array_equal(HyperPath(integers(net)).code(height, width, level, take), z_hat)
    assert not seen


@given(st.integers(0, MAX_LEVEL), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_every_element_has_a_table_and_a_mean_in_range(net: HyperNet, level: int, seed: int) -> None:
    path, z_hat = HyperPath(integers(net)), drawn(seed, 3, 5)
    for step in range(STEPS):
        expected = path.expected(step, z_hat, level)
        assert np.abs(expected.whole).max() <= Z_MAX
        assert expected.table.min() >= 0
        assert expected.table.max() < HYPER_TABLES


def test_integers_survive_going_back_to_training(net: HyperNet) -> None:
    again = HyperNet(NZ)
    again.load_integers(net.integers())
    first, second = HyperPath(integers(net)), HyperPath(integers(again))
    for step in range(STEPS):
        for one, two in zip(first.expected(step, drawn(1, 4, 4), 5000), second.expected(step, drawn(1, 4, 4), 5000), strict=True):
            np.testing.assert_array_equal(one, two)


def test_later_steps_learn_from_earlier_ones_and_from_the_quality() -> None:
    net = HyperNet(NZ)
    z = torch.from_numpy(drawn(2, 4, 4)[None]).float().requires_grad_()
    nodes = torch.from_numpy(node_weights(3000))
    net.bits(torch.zeros_like(z), z, nodes).sum().backward()
    last = torch.from_numpy(step_masks(NZ, 4, 4)[-1])
    assert z.grad is not None
    assert not z.grad[0][last].any()
    assert z.grad[0][~last].any()
    assert net.offset.grad is not None
    assert net.offset.grad[:, 2:4].abs().sum() > 0


def test_bits_are_those_of_the_logistic_distribution_however_far_off() -> None:
    distance, log_scale = torch.tensor([0.0, 0.3, -4.0, 60.0, -126.0]), torch.log(torch.tensor([0.06, 0.5, 2.0, 8.0, 0.06]))
    edges = (distance.double()[:, None] + torch.tensor([0.5, -0.5])) / torch.exp(log_scale.double())[:, None]
    exact = -torch.log2(torch.sigmoid(edges[:, 0]) - torch.sigmoid(edges[:, 1]))
    bits = logistic_bits(distance, log_scale)
    torch.testing.assert_close(bits[:4], exact[:4].float(), atol=1e-3, rtol=1e-4)
    assert 1000 < bits[4] < 10_000


@pytest.mark.parametrize("index", [0, 8, 16, HYPER_INDEXES - 1])
def test_tables_before_any_symbol_cost_what_training_expects(index: int) -> None:
    tables = fit(*no_counts()).hyper
    for fraction in range(MEAN_STEPS):
        row = tables[index * MEAN_STEPS + fraction]
        half = len(row) // 2 - 1
        values = torch.arange(-half, half + 1) - (fraction / MEAN_STEPS - 0.5)
        bits = logistic_bits(values, torch.tensor(float(np.log(HYPER_SCALE_MIN) + index * HYPER_INDEX_STEP)))
        likely = bits.numpy() < 8
        np.testing.assert_allclose(-np.log2(row[:-1] / TOTAL)[likely], bits.numpy()[likely], atol=0.2)
