"""The float twin of the integer scale path (`model/scale_path.py`), of twins of its layers (`quantised.py`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.alphabet import INDEX_STEP, INDEXES, SCALE_MIN
from ..model.integers import ACTIVATION_MAX, ACTIVATION_STEPS
from ..model.quality import NODES
from ..model.scale_path import SYMBOL_MAX
from ..model.steps import step_parts
from .gather import joined, looks
from .quantised import Bound, QuantConv, activate, from_integers, round_through, to_integers


class ScaleNet(nn.Module):
    """Scale indexes as differentiable floats; names and structure of `scale_path.ScalePath`."""

    def __init__(self, m: int, nz: int, steps: int, wide: int = 128, narrow: int = 64) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(
            [
                QuantConv(nz, wide, 3, input_steps=1),
                QuantConv(wide, 4 * narrow),
                QuantConv(narrow, narrow, 3),
                QuantConv(narrow, 4 * narrow),
            ]
        )
        later = range(1, steps)
        self.reduce = nn.ModuleList(QuantConv(m, narrow, input_steps=1) for _ in later)
        self.spread = nn.ModuleList(QuantConv(narrow, narrow, 3, groups=narrow) for _ in later)
        self.out = nn.ModuleList([QuantConv(narrow, m), *(QuantConv(2 * narrow, m) for _ in later)])
        with torch.no_grad():
            for conv in self._layers().values():
                if conv.out_channels == m:
                    conv.weight.mul_(0.1)
                    conv.bias.zero_()
        self.offset = nn.Parameter(torch.zeros(NODES, m))

    def features(self, z_hat: Tensor) -> Tensor:
        """ẑ (B, nz, H/4, W/4), clamped integers → (B, C, H, W)."""
        a = z_hat
        for conv in self.trunk:
            a = activate(conv(a))
            if conv.kernel_size == (1, 1):
                a = F.pixel_shuffle(a, 2)
        return a

    def index(self, step: int, features: Tensor, symbols: Tensor | None, nodes: Tensor) -> Tensor:
        """Scale indexes (B, n) of a step, in order, integers 0..63 with a gradient; ``symbols`` as in `ScalePath.index`."""
        a = features
        if symbols is not None:
            magnitude = symbols.abs().clamp(max=SYMBOL_MAX)
            h = activate(self.reduce[step - 1](magnitude), low=-ACTIVATION_MAX)
            h = activate(self.spread[step - 1](h))
            a = torch.cat([h, a], 1)
        weight, bias = self.out[step].on_grid()  # type: ignore[operator]
        offset = round_through(nodes @ round_through(self.offset * ACTIVATION_STEPS))
        sixteenths = joined(
            round_through(F.linear(seen, weight[own, :, 0, 0], bias[own]) * ACTIVATION_STEPS) + offset[:, None, None, own]
            for own, seen in looks(a, step_parts(len(bias), step))
        )
        return Bound.apply(round_through(sixteenths / ACTIVATION_STEPS), 0, INDEXES - 1)  # type: ignore[no-any-return, no-untyped-call]

    def _layers(self) -> dict[str, QuantConv]:
        named = {f"trunk{i}": conv for i, conv in enumerate(self.trunk)}
        named |= {f"out{i}": conv for i, conv in enumerate(self.out)}
        for name, convs in (("reduce", self.reduce), ("spread", self.spread)):
            named |= {f"{name}{i}": conv for i, conv in enumerate(convs, 1)}
        return named  # type: ignore[return-value]

    def integers(self) -> dict[str, Tensor]:
        """The tensors ``scales.*`` of a weights file."""
        return to_integers("scales", self._layers(), self.offset)

    def load_integers(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `integers`."""
        from_integers("scales", self._layers(), self.offset, tensors)


def log_scale(index: Tensor) -> Tensor:
    """ln σ of a scale index."""
    return math.log(SCALE_MIN) + index * INDEX_STEP
