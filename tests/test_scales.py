"""The integer scale path gives the numbers that training saw, and refuses weights whose sums could be inexact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aecodec.errors import ModelError
from aecodec.model.integers import IntegerLayer
from aecodec.model.quality import LEVELS_PER_NODE, MAX_LEVEL, NODES, interpolate_int, node_weights
from aecodec.model.scale_path import ScalePath
from aecodec.model.steps import STEPS, gather, scatter, step_masks, step_parts
from aecodec.nets.scale_net import ScaleNet

M, NZ = 16, 8


@pytest.fixture(scope="module")
def net() -> ScaleNet:
    """A network with weights of realistic size in every layer."""
    torch.manual_seed(0)
    net = ScaleNet(M, NZ, STEPS)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.2)
        net.offset.copy_(torch.rand(NODES, M) * 40)
    return net


def integers(net: ScaleNet) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in net.integers().items()}


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 21), st.integers(1, 21), st.integers(0, MAX_LEVEL), st.integers(0, 2**32 - 1))
def test_integers_equal_what_training_computes(net: ScaleNet, height: int, width: int, level: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    level -= level % LEVELS_PER_NODE  # between nodes the float twin rounds in another order
    z_hat = rng.integers(-63, 64, (NZ, -(-height // 4), -(-width // 4))).astype(np.int32)
    residuals = (rng.laplace(0, 3, (M, height, width))).astype(np.int32)
    path = ScalePath(integers(net), STEPS)
    features = path.features(z_hat, height, width)
    nodes = torch.from_numpy(node_weights(level))
    with torch.no_grad():
        twin = net.features(torch.from_numpy(z_hat[None]).float())[:, :, :height, :width]
        np.testing.assert_array_equal(features, twin[0].numpy() * 16)
        for step in range(STEPS):
            before = residuals if step else None
            expected = net.index(step, twin, None if before is None else torch.from_numpy(before[None]).float(), nodes)
            index = path.index(step, features, before, level)
            np.testing.assert_array_equal(index, expected[0].numpy())


def test_integers_survive_going_back_to_training(net: ScaleNet) -> None:
    again = ScaleNet(M, NZ, STEPS)
    again.load_integers(net.integers())
    for name, tensor in net.integers().items():
        if not name.endswith(("weight", "shift", "bias")):
            torch.testing.assert_close(again.integers()[name], tensor, rtol=0, atol=0)
    first, second = ScalePath(integers(net), STEPS), ScalePath(integers(again), STEPS)
    z_hat = np.arange(NZ * 4, dtype=np.int32).reshape(NZ, 2, 2) - 16
    np.testing.assert_array_equal(first.features(z_hat, 8, 8), second.features(z_hat, 8, 8))


def test_weights_whose_sums_could_be_inexact_are_refused() -> None:
    tensors: dict[str, np.ndarray] = {
        "layer.weight": np.full((1, 1050), 127, np.int8),
        "layer.bias": np.zeros(1, np.int32),
        "layer.shift": np.ones(1, np.uint8),
    }
    with pytest.raises(ModelError, match="limit 16777216"):
        IntegerLayer.load(tensors, "layer", 127)
    tensors["layer.weight"] = tensors["layer.weight"][:, :1000]
    IntegerLayer.load(tensors, "layer", 127)


@given(st.lists(st.integers(-(2**20), 2**20), min_size=NODES, max_size=NODES), st.integers(0, MAX_LEVEL))
def test_interpolation_hits_the_nodes_and_stays_between_them(values: list[int], level: int) -> None:
    table = np.array(values, np.int32)[:, None]
    node, fraction = divmod(level, LEVELS_PER_NODE)
    result = interpolate_int(table.astype(np.int32), level)[0]
    if fraction == 0:
        assert result == values[node]
    else:
        assert min(values[node : node + 2]) <= result <= max(values[node : node + 2])


@given(st.integers(1, 9), st.integers(1, 9))
def test_every_symbol_is_coded_in_exactly_one_step(height: int, width: int) -> None:
    assert (step_masks(M, height, width).sum(0) == 1).all()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, STEPS - 1))
def test_scatter_undoes_gather(height: int, width: int, step: int) -> None:
    array = np.arange(M * height * width).reshape(M, height, width)
    parts = step_parts(M, step)
    out = np.zeros_like(array)
    scatter(out, parts, gather(array, parts))
    mask = step_masks(M, height, width)[step]
    assert (out == np.where(mask, array, 0)).all()
