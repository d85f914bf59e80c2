"""The hyperprior: h_a, h_s for the means, and the prior of ẑ (Ballé et al., ICLR 2018; Minnen et al., NeurIPS 2018).

What ẑ says about the *scales* goes through integers alone and lives in `scales.py`; these are the float networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..entropy.alphabet import Z_MAX
from .transforms import Block


def hyper_analysis(m: int, nc: int, nz: int) -> nn.Sequential:
    """h_a: scaled latent (B, M, H, W), H and W multiples of 4 → z (B, nz, H/4, W/4)."""
    return nn.Sequential(
        nn.Conv2d(m, nc, 1),
        Block(nc),
        nn.Conv2d(nc, nc, 2, stride=2),
        Block(nc),
        nn.Conv2d(nc, nz, 2, stride=2),
    )


def hyper_synthesis(nz: int, nc: int) -> nn.Sequential:
    """h_s: ẑ (B, nz, H/4, W/4) → features for the means (B, nc, H, W)."""
    return nn.Sequential(
        nn.Conv2d(nz, nc, 3, padding=1),
        Block(nc),
        nn.ConvTranspose2d(nc, nc, 2, stride=2),
        Block(nc),
        nn.ConvTranspose2d(nc, nc, 2, stride=2),
        Block(nc),
    )


class HyperPrior(nn.Module):
    """p(ẑ): a mixture of three logistics per channel; becomes a table of integer frequencies when exported."""

    def __init__(self, nz: int, components: int = 3) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(components, nz) * 2)
        self.log_scale = nn.Parameter(torch.ones(components, nz))
        self.logit = nn.Parameter(torch.zeros(components, nz))

    def bits(self, z: Tensor) -> Tensor:
        """z (B, nz, H, W), noisy or rounded → bits of each element, same shape."""
        x = z.permute(0, 2, 3, 1).unsqueeze(-2)  # (B, H, W, 1, nz)
        inv = torch.exp(-self.log_scale)
        p = torch.sigmoid((x + 0.5 - self.mean) * inv) - torch.sigmoid((x - 0.5 - self.mean) * inv)
        p = (p * torch.softmax(self.logit, 0)).sum(-2)  # (B, H, W, nz)
        return -torch.log2(p.clamp_min(1e-9)).permute(0, 3, 1, 2)

    def pmf(self) -> Tensor:
        """Probabilities of -Z_MAX..Z_MAX for each channel, shape (nz, 2·Z_MAX+1)."""
        values = torch.arange(-Z_MAX, Z_MAX + 1, dtype=torch.float32)
        z = values[None, None, :, None].expand(1, self.mean.shape[1], -1, 1)
        return torch.exp2(-self.bits(z))[0, :, :, 0]
