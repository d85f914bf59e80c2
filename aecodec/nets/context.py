"""Means of the latent, step by step (`model/steps.py`): first from the hyperprior alone, later from what is decoded so far, too.

The latent is larger the higher the quality, by the gain of g_a, and what is expected of it is, too: so the networks have gains.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.quality import NODES
from ..model.steps import step_parts
from .gather import joined, looks
from .transforms import Block, Layers, exact


class Head(nn.Conv2d):
    """The last layer of a step: a 1×1 convolution to the latent's channels, scaled by a gain."""

    def __init__(self, nc: int, m: int, step: int) -> None:
        super().__init__(nc, m, 1)
        self.log_gain = nn.Parameter(torch.zeros(NODES, m))
        self.parts = step_parts(m, step)

    def forward(self, h: Tensor, nodes: Tensor) -> Tensor:  # type: ignore[override]
        """h (B, nc, H, W), nodes (B or 1, 9) → means (B, M, H, W), of which the step uses a quarter."""
        return super().forward(h) * torch.exp(nodes @ self.log_gain)[:, :, None, None]

    def of_step(self, h: Tensor, nodes: Tensor) -> Tensor:
        """That quarter alone, in order, (B, n); saves time in training, but none in ONNX Runtime."""
        with exact():
            weight, bias, gain = self.weight[:, :, 0, 0], self.bias, torch.exp(nodes @ self.log_gain)[:, None, None]
            return joined(
                F.linear(seen, weight[own], bias[own]) * gain[..., own]  # type: ignore[index]
                for own, seen in looks(h.to(weight.dtype), self.parts)
            )


class FirstMeans(nn.Module):
    """Means of step 0, from the hyperprior's features alone."""

    def __init__(self, m: int, nc: int) -> None:
        super().__init__()
        self.head = Head(nc, m, 0)

    def forward(self, features: Tensor, nodes: Tensor) -> Tensor:
        """features (B, nc, H, W), nodes (B or 1, 9) → means (B, M, H, W)."""
        return self.head(features, nodes)  # type: ignore[no-any-return]

    def of_step(self, features: Tensor, nodes: Tensor) -> Tensor:
        """Those that the step uses, (B, n)."""
        return self.head.of_step(features, nodes)


class ContextMeans(nn.Module):
    """Means of a later step, from the features and everything decoded so far (zero where nothing is yet)."""

    def __init__(self, m: int, nc: int, step: int) -> None:
        super().__init__()
        self.log_gain_in = nn.Parameter(torch.zeros(NODES, m))
        self.stem = nn.Conv2d(m + nc, nc, 1)
        self.blocks = Layers([Block(nc), Block(nc)])
        self.head = Head(nc, m, step)

    def forward(self, y_hat: Tensor, features: Tensor, nodes: Tensor) -> Tensor:
        """y_hat so far (B, M, H, W), features (B, nc, H, W), nodes (B or 1, 9) → means (B, M, H, W)."""
        return self.head(self._seen(y_hat, features, nodes), nodes)  # type: ignore[no-any-return]

    def of_step(self, y_hat: Tensor, features: Tensor, nodes: Tensor) -> Tensor:
        """Those that the step uses, (B, n)."""
        return self.head.of_step(self._seen(y_hat, features, nodes), nodes)

    def _seen(self, y_hat: Tensor, features: Tensor, nodes: Tensor) -> Tensor:
        with exact():
            scaled = y_hat * torch.exp(nodes @ self.log_gain_in)[:, :, None, None]
            h = self.stem(torch.cat([scaled, features.to(scaled.dtype)], 1))
        return self.blocks(h, nodes)  # type: ignore[no-any-return]
