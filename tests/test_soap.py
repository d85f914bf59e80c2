"""SOAP: Adam where there is nothing to turn, faster where entries depend on each other, and resumable."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from aecodec.training.soap import Soap


def descend(optimizer: torch.optim.Optimizer, weight: nn.Parameter, steps: int, hessian: Tensor) -> float:
    """Minimise a quadratic form; the loss before the last step."""
    loss = torch.zeros(())
    for _ in range(steps):
        loss = 0.5 * (weight * (hessian @ weight)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return loss.item()


def correlated(side: int) -> Tensor:
    """A badly conditioned Hessian whose eigenvectors are no axes."""
    generator = torch.Generator().manual_seed(0)
    q = torch.linalg.qr(torch.randn(side, side, generator=generator)).Q
    hessian: Tensor = q @ torch.diag(torch.logspace(0, 3, side)) @ q.T
    return hessian


def test_where_entries_depend_on_each_other_it_beats_adam() -> None:
    hessian, start = correlated(24), torch.randn(24, 16, generator=torch.Generator().manual_seed(1))
    ends = []
    for make in (
        lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.9, 0.99)),
        lambda p: Soap([{"params": p}], lr=0.02, frequency=5),
    ):
        weight = nn.Parameter(start.clone())
        ends.append(descend(make([weight]), weight, 600, hessian))
    assert ends[1] < 0.1 * ends[0]


@pytest.mark.parametrize("shape", [(7,), (3, 3), (500, 600)])
def test_what_is_not_turned_moves_as_with_adam(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    one = nn.Parameter(torch.randn(shape))
    other = nn.Parameter(one.detach().clone())
    adam, soap = torch.optim.Adam([one], lr=0.1, betas=(0.9, 0.99)), Soap([{"params": [other]}], lr=0.1)
    other.grad = torch.randn(shape)
    soap.step()  # the first only measures
    for _ in range(30):
        one.grad = torch.randn(shape)
        other.grad = one.grad.clone()
        adam.step()
        soap.step()
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [0.0, 1e-20, 1e10])
def test_gradients_of_one_direction_or_none_do_no_harm(size: float) -> None:
    weight = nn.Parameter(torch.ones(300, 64))
    soap = Soap([{"params": [weight]}], lr=0.1, frequency=2)
    for _ in range(5):
        weight.grad = size * torch.ones(300, 1) @ torch.linspace(0, 1, 64)[None]
        soap.step()
    assert torch.isfinite(weight).all()


def test_a_group_may_be_left_to_adam() -> None:
    weight = nn.Parameter(torch.randn(32, 32))
    weight.grad = torch.randn(32, 32)
    soap = Soap([{"params": [weight], "turn": False}], lr=0.1)
    soap.step()
    assert soap.state[weight]["basis"] == [None, None]


def test_a_saved_state_goes_on_as_if_nothing_had_happened() -> None:
    hessian = correlated(16)
    weight = nn.Parameter(torch.ones(16, 16))
    soap = Soap([{"params": [weight]}], lr=0.02, frequency=3)
    descend(soap, weight, 10, hessian)
    twin = nn.Parameter(weight.detach().clone())
    again = Soap([{"params": [twin]}], lr=0.02, frequency=3)
    again.load_state_dict(copy.deepcopy(soap.state_dict()))
    assert descend(soap, weight, 10, hessian) == descend(again, twin, 10, hessian)
    assert torch.equal(weight, twin)
