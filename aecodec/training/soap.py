"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., "SOAP: Improving and Stabilizing Shampoo", ICLR 2025).

The gradient G (O, I) of a matrix has two second moments, G·Gᵀ and Gᵀ·G. Their eigenvectors turn G so that its entries are nearly
independent, and there Adam's division by the root of each entry's own second moment means what it should. The basis turns slowly:
every ``frequency`` steps it gets one power iteration and a QR decomposition. A side longer than ``max_side`` stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

Sides = list[Tensor | None]


class Soap(torch.optim.Optimizer):
    """Adam in a turned basis, for matrices and convolutions (as matrices of outputs × everything else); Adam itself for vectors.

    Args:
        groups: parameters, as dictionaries with "params"; "turn": False leaves those of a group to Adam.
        lr: the learning rate; good values are those of Adam.
        betas: of the two moments.
        eps: added to the root of the second moment.
        frequency: steps from one turn of the basis to the next.
        max_side: the longest side of a matrix that is turned.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        frequency: int = 20,
        max_side: int = 384,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "frequency": frequency, "max_side": max_side, "turn": True}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update. The very first only measures: before there is a basis there is no good step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.reshape(len(parameter), -1) if parameter.ndim > 1 else parameter.grad[None]
                    state = self.state[parameter]
                    if state:
                        parameter.sub_(_change(gradient, state, group).reshape(parameter.shape))
                    else:
                        longest = group["max_side"] if group["turn"] and parameter.ndim > 1 else 0
                        state |= _begin(gradient, longest)


def _begin(gradient: Tensor, longest: int) -> dict[str, Any]:
    turned = [MIN_SIDE <= side <= longest for side in gradient.shape]
    stats = [moment if turn else None for moment, turn in zip(_moments(gradient), turned, strict=True)]
    basis = [None if s is None else _eigenvectors(s) for s in stats]
    return {"step": 1, "m": torch.zeros_like(gradient), "v": torch.zeros_like(gradient), "stats": stats, "basis": basis}


def _eigenvectors(stat: Tensor) -> Tensor:
    """Of a second moment (n, n), largest first. Of one gradient it is nearly singular, which single precision can't take."""
    scale = stat.diagonal().mean().clamp_min(1e-30)
    vectors: Tensor = torch.linalg.eigh((stat / scale).double() + 1e-6 * torch.eye(len(stat))).eigenvectors
    return vectors.flip(1).to(stat.dtype)


MIN_SIDE = 9
"""Shorter sides aren't worth it."""


def _moments(gradient: Tensor) -> Sides:
    return [gradient @ gradient.T, gradient.T @ gradient]


def _change(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    """What to subtract from a parameter (O, I)."""
    beta1, beta2 = group["betas"]
    if state["step"] % 2 == 0 or state["step"] < 20:  # the moments move slowly, every other gradient will do
        for stat, sides in zip(state["stats"], ((0, 1), (1, 0)), strict=True):
            if stat is not None:
                matrix = gradient.permute(sides)
                stat.lerp_(matrix @ matrix.T, 1 - beta2)
    if state["step"] % group["frequency"] == 0:
        _turn(state)
    turned = _into(gradient, state["basis"])
    m, v, step = state["m"], state["v"], state["step"]
    m.lerp_(turned, 1 - beta1)
    v.mul_(beta2).addcmul_(turned, turned, value=1 - beta2)
    state["step"] = step + 1
    root = (v / (1 - beta2**step)).sqrt_().add_(group["eps"])
    change: Tensor = _out_of(m / root, state["basis"]) * (group["lr"] / (1 - beta1**step))
    return change


def _turn(state: dict[str, Any]) -> None:
    """Bring the basis up to date. The first moment moves along; the second keeps its order by size, which nearly fits."""
    m = _out_of(state["m"], state["basis"])
    for side, (stat, q) in enumerate(zip(state["stats"], state["basis"], strict=True)):
        if stat is not None:
            order = torch.argsort((q * (stat @ q)).sum(0), descending=True)
            state["v"] = state["v"].index_select(side, order)
            state["basis"][side] = torch.linalg.qr(stat @ q[:, order]).Q
    state["m"] = _into(m, state["basis"])


def _into(matrix: Tensor, basis: Sides) -> Tensor:
    left, right = basis
    matrix = matrix if left is None else left.T @ matrix
    return matrix if right is None else matrix @ right


def _out_of(matrix: Tensor, basis: Sides) -> Tensor:
    left, right = basis
    matrix = matrix if left is None else left @ matrix
    return matrix if right is None else matrix @ right.T
