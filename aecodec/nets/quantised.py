"""The float twins of the integer layers (`integers.py`): what training differentiates, and their conversion to integers.

Every weight, bias and activation is rounded to the grid of the integers on the way forward, and the gradient passes straight
through (quantisation-aware training, Jacob et al., CVPR 2018). All grids are powers of two, so forward computes the very
numbers that the integers give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.integers import ACTIVATION_MAX, ACTIVATION_STEPS


def round_through(x: Tensor) -> Tensor:
    """Round half up; the gradient passes as if nothing had happened."""
    return x + (torch.floor(x + 0.5) - x).detach()


class Bound(torch.autograd.Function):
    """Clamp whose gradient still passes where it would bring a value back inside, so that nothing dies outside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        """Clamp x to low..high."""
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Stop what pushes further outside."""
        (x,) = ctx.saved_tensors
        outward = ((x < ctx.low) & (grad > 0)) | ((x > ctx.high) & (grad < 0))
        return grad.masked_fill(outward, 0), None, None


def activate(x: Tensor, low: int = 0) -> Tensor:
    """ReLU onto the grid of the activations: low/16..127/16 in steps of 1/16."""
    return round_through(x * ACTIVATION_STEPS).clamp(low, ACTIVATION_MAX) / ACTIVATION_STEPS


class QuantConv(nn.Conv2d):
    """A convolution whose weights are int8 times a power of two per output channel."""

    bias: Tensor

    def __init__(self, c_in: int, c_out: int, size: int = 1, groups: int = 1, input_steps: int = ACTIVATION_STEPS) -> None:
        super().__init__(c_in, c_out, size, padding=size // 2, groups=groups)
        self.input_steps = input_steps

    def weight_steps(self) -> Tensor:
        """Steps per unit of each output channel's weights: the finest power of two whose int8 range holds them, (O,)."""
        largest = self.weight.detach().abs().amax((1, 2, 3)).clamp_min(2.0**-16)
        least = math.log2(2 * ACTIVATION_STEPS / self.input_steps)  # so that every sum is shifted by 1 at least
        exponent = torch.floor(torch.log2(ACTIVATION_MAX / largest)).clamp(least, 18)
        return torch.exp2(exponent)

    def on_grid(self) -> tuple[Tensor, Tensor]:
        """The weight (O, C, k, k) and the bias (O,) that the integers stand for."""
        steps = self.weight_steps()
        per_weight = steps[:, None, None, None]
        weight = round_through(self.weight * per_weight).clamp(-127, 127) / per_weight
        return weight, round_through(self.bias * steps * self.input_steps) / (steps * self.input_steps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) on the input's grid → (B, O, H, W), on no grid yet."""
        return F.conv2d(x, *self.on_grid(), 1, self.padding, 1, self.groups)

    @torch.no_grad()
    def integers(self) -> dict[str, Tensor]:
        """weight int8 (O, K), bias int32 (O,), and the shift uint8 (O,) that brings a sum to 1/16."""
        steps = self.weight_steps()
        weight = torch.floor(self.weight * steps[:, None, None, None] + 0.5).clamp(-127, 127)
        bias = torch.floor(self.bias * steps * self.input_steps + 0.5)
        shift = torch.log2(steps * self.input_steps / ACTIVATION_STEPS)
        return {
            "weight": weight.flatten(1).to(torch.int8),
            "bias": bias.to(torch.int32),
            "shift": shift.to(torch.uint8),
        }

    @torch.no_grad()
    def load_integers(self, weight: Tensor, bias: Tensor, shift: Tensor) -> None:
        """The inverse of `integers`, to go on training from exported weights."""
        steps = torch.exp2(shift.float()) * ACTIVATION_STEPS / self.input_steps
        self.weight.copy_((weight.float() / steps[:, None]).reshape(self.weight.shape))
        self.bias.copy_(bias.float() / (steps * self.input_steps))


@torch.no_grad()
def to_integers(prefix: str, layers: Mapping[str, QuantConv], offset: Tensor) -> dict[str, Tensor]:
    """The tensors ``prefix.*`` of a weights file: layers by name, and the table of offsets in 1/16."""
    tensors = {f"{prefix}.{name}.{part}": value for name, conv in layers.items() for part, value in conv.integers().items()}
    return tensors | {f"{prefix}.offset": torch.floor(offset * ACTIVATION_STEPS + 0.5).to(torch.int32)}


@torch.no_grad()
def from_integers(prefix: str, layers: Mapping[str, QuantConv], offset: Tensor, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `to_integers`, into the layers and the table that are there."""
    for name, conv in layers.items():
        conv.load_integers(*(tensors[f"{prefix}.{name}.{part}"] for part in ("weight", "bias", "shift")))
    offset.copy_(tensors[f"{prefix}.offset"].float() / ACTIVATION_STEPS)
