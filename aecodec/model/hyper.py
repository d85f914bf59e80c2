"""The hyperprior: h_a, and h_s for the means (Ballé et al., ICLR 2018; Minnen et al., NeurIPS 2018).

What ẑ says about the *scales*, and what is expected of ẑ itself, goes through integers alone and lives in `scales.py` and
`hyper_path.py`; these are the float networks.
"""

from __future__ import annotations

from torch import nn

from .transforms import Block, Layers


def hyper_analysis(m: int, nc: int, nz: int) -> Layers:
    """h_a: scaled latent (B, M, H, W), H and W multiples of 4, and nodes (B or 1, 9) → z (B, nz, H/4, W/4)."""
    return Layers(
        [
            nn.Conv2d(m, nc, 1),
            Block(nc),
            nn.Conv2d(nc, nc, 2, stride=2),
            Block(nc),
            nn.Conv2d(nc, nz, 2, stride=2),
        ]
    )


def hyper_synthesis(nz: int, nc: int) -> Layers:
    """h_s: ẑ (B, nz, H/4, W/4), nodes (B or 1, 9) → features for the means (B, nc, H, W)."""
    return Layers(
        [
            nn.Conv2d(nz, nc, 3, padding=1),
            Block(nc),
            nn.ConvTranspose2d(nc, nc, 2, stride=2),
            Block(nc),
            nn.ConvTranspose2d(nc, nc, 2, stride=2),
            Block(nc),
        ]
    )
