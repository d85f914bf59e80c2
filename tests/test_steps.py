"""Tensors of a step hold what arrays of it do, gradients flow back to where they came from, and layers compute the same."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecodec.model.quality import node_weights
from aecodec.model.steps import STEPS, gather, step_masks, step_parts
from aecodec.nets.context import ContextMeans
from aecodec.nets.gather import gathered, scattered

M = 8
sizes = st.integers(1, 7)
steps = st.integers(0, STEPS - 1)


@given(sizes, sizes, steps)
def test_tensors_are_gathered_as_arrays_are_and_scattered_back(height: int, width: int, step: int) -> None:
    parts = step_parts(M, step)
    whole = torch.randn(2, M, height, width)
    of_step = gathered(whole, parts)
    for image, own in zip(whole, of_step, strict=True):
        np.testing.assert_array_equal(own, gather(image.numpy(), parts))
    mask = torch.from_numpy(step_masks(M, height, width)[step])
    assert torch.equal(scattered(of_step, parts, whole.shape), torch.where(mask, whole, 0))


@given(sizes, sizes, steps)
def test_gradients_go_back_to_where_values_came_from(height: int, width: int, step: int) -> None:
    parts = step_parts(M, step)
    whole = torch.randn(2, M, height, width, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda tensor: gathered(tensor, parts), whole)
    values = gathered(whole, parts).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda tensor: scattered(tensor, parts, whole.shape), values)


@given(sizes, sizes, st.integers(1, STEPS - 1))
def test_means_of_a_step_are_those_of_the_whole_layer_and_so_are_gradients(height: int, width: int, step: int) -> None:
    net = ContextMeans(M, 6, step)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    y_hat, features = torch.randn(2, M, height, width), torch.randn(2, 6, height, width)
    nodes = torch.from_numpy(np.concatenate([node_weights(500), node_weights(7000)]))
    whole = gathered(net(y_hat, features, nodes), net.head.parts)
    torch.testing.assert_close(net.of_step(y_hat, features, nodes), whole)
    toward = torch.randn_like(whole)

    def gradients(means: torch.Tensor) -> list[torch.Tensor | None]:
        net.zero_grad()
        means.backward(toward)
        return [parameter.grad for parameter in net.parameters()]

    torch.testing.assert_close(gradients(net.of_step(y_hat, features, nodes)), gradients(whole))
