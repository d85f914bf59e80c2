"""Means of the latent, step by step (`masks.py`): first from the hyperprior alone, later from what is decoded so far, too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .transforms import Block, exact


class FirstMeans(nn.Module):
    """Means of step 0, from the hyperprior's features alone."""

    def __init__(self, m: int, nc: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(nc, m, 1)

    def forward(self, features: Tensor) -> Tensor:
        """features (B, nc, H, W) → means (B, M, H, W), of which step 0 uses a quarter."""
        with exact():
            return self.head(features.to(self.head.weight.dtype))  # type: ignore[no-any-return]


class ContextMeans(nn.Module):
    """Means of a later step, from the features and everything decoded so far (zero where nothing is yet)."""

    def __init__(self, m: int, nc: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(m + nc, nc, 1)
        self.blocks = nn.Sequential(Block(nc), Block(nc))
        self.head = nn.Conv2d(nc, m, 1)

    def forward(self, y_hat: Tensor, features: Tensor) -> Tensor:
        """y_hat so far (B, M, H, W), features (B, nc, H, W) → means (B, M, H, W), of which the step uses a quarter."""
        with exact():
            h = self.stem(torch.cat([y_hat, features.to(y_hat.dtype)], 1))
        h = self.blocks(h)
        with exact():
            return self.head(h)  # type: ignore[no-any-return]
