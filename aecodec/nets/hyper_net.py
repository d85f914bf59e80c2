"""The float twin of the integer network for ẑ (`model/hyper_path.py`), of twins of its layers (`quantised.py`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.alphabet import HYPER_INDEX_STEP, HYPER_INDEXES, HYPER_SCALE_MIN, MEAN_STEPS, Z_MAX
from ..model.integers import ACTIVATION_STEPS
from ..model.quality import NODES
from ..model.steps import STEPS, step_masks
from .quantised import Bound, QuantConv, activate, from_integers, round_through, to_integers


class HyperNet(nn.Module):
    """Means and scales of ẑ as differentiable floats; names and structure of `hyper_path.HyperPath`."""

    def __init__(self, nz: int, hidden: int = 64) -> None:
        super().__init__()
        later = range(1, STEPS)
        self.look = nn.ModuleList(QuantConv(nz, hidden, 3, input_steps=1) for _ in later)
        self.out = nn.ModuleList(QuantConv(hidden, 2 * nz) for _ in later)
        self.offset = nn.Parameter(torch.zeros(STEPS, NODES, 2 * nz))
        with torch.no_grad():
            for name, conv in self._layers().items():
                if name.startswith("out"):
                    conv.weight.mul_(0.1)
                    conv.bias.zero_()
            self.offset[:, :, nz:] = math.log(3 / HYPER_SCALE_MIN) / HYPER_INDEX_STEP  # a scale of 3

    def bits(self, z: Tensor, z_hat: Tensor, nodes: Tensor) -> Tensor:
        """z (B, nz, h, w), noisy or rounded; z_hat, rounded, which later steps see; nodes (B, 9) → bits of each element of z."""
        seen, bits = torch.zeros_like(z_hat), torch.zeros_like(z)
        for step, mask in enumerate(torch.from_numpy(step_masks(*z.shape[1:]))):
            mean, log_scale = self.expected(step, seen, nodes)
            bits = torch.where(mask, logistic_bits(z - mean, log_scale), bits)
            seen = torch.where(mask, z_hat, seen)
        return bits

    def expected(self, step: int, seen: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of scales (B, nz, h, w), of which the step uses a quarter; ``seen`` is what it may know of ẑ."""
        offset = round_through(nodes @ round_through(self.offset[step] * ACTIVATION_STEPS))[:, :, None, None]
        if step:
            hidden = activate(self.look[step - 1](seen))
            results = round_through(self.out[step - 1](hidden) * ACTIVATION_STEPS) + offset
        else:
            results = offset.expand(-1, -1, *seen.shape[2:])
        mean, scale = results.chunk(2, 1)
        index = Bound.apply(round_through(scale / ACTIVATION_STEPS), 0, HYPER_INDEXES - 1)  # type: ignore[no-untyped-call]
        return mean.clamp(-Z_MAX * MEAN_STEPS, Z_MAX * MEAN_STEPS) / MEAN_STEPS, math.log(
            HYPER_SCALE_MIN
        ) + index * HYPER_INDEX_STEP

    def _layers(self) -> dict[str, QuantConv]:
        named = {f"look{k}": conv for k, conv in enumerate(self.look, 1)}
        return named | {f"out{k}": conv for k, conv in enumerate(self.out, 1)}  # type: ignore[return-value]

    def integers(self) -> dict[str, Tensor]:
        """The tensors ``hyper.*`` of a weights file."""
        return to_integers("hyper", self._layers(), self.offset)

    def load_integers(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `integers`."""
        from_integers("hyper", self._layers(), self.offset, tensors)


def logistic_bits(distance: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of a value in its unit bin, at a distance from the mean of a logistic distribution."""
    inv = torch.exp(-log_scale)
    below, above = (0.5 - distance) * inv, (0.5 + distance) * inv
    return -(F.logsigmoid(below) + F.logsigmoid(above) + torch.log(-torch.expm1(-inv))) / math.log(2)
