"""The analysis and synthesis transforms, g_a and g_s, and those of the hyper-latent, h_a and h_s.

    x ─ conv 16×16 /8 ─ blocks(n1) ─ conv 2×2 /2 ─ blocks(n2) ─ 1×1 ─ y        g_a
    x_hat ─ deconv 16×16 ×8 ─ blocks(n1) ─ deconv 2×2 ×2 ─ blocks(n2) ─ 1×1 ─ y_hat        g_s

All work happens at 1/8 and 1/16 resolution, as in DCVC-RT (Jia et al., CVPR 2025, section 3.2): large matrix products and
little memory traffic, which is what a CPU is fast at. The first kernels overlap (16×16 at stride 8), so blocks have no edges.

The hyperprior (Ballé et al., ICLR 2018; Minnen et al., NeurIPS 2018) says the means here. What ẑ says about the scales, and what
is expected of ẑ itself, goes through integers alone: `model/scale_path.py`, `model/hyper_path.py`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.quality import NODES


def exact() -> AbstractContextManager[object]:
    """Where training computes in bfloat16, what is inside stays in float32.

    A coefficient has far more quantization steps than bfloat16 has numbers, so it must not pass through it: the layers between
    images, latents and the residual stream are exact, the insides of blocks, most of the work, need not be.
    """
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()


class Block(nn.Module):
    """Residual block ``x + W2·act(W1·dw3×3(x))`` with 1×1 matrices C→2C→C; starts as the identity.

    It scales and shifts its hidden layer by the quality (two tables of 9 rows). For a single quality both fold into W1, so they
    cost nothing when coding.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = 2 * channels
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.project = nn.Conv2d(hidden, channels, 1)
        with torch.no_grad():
            self.spatial.weight.mul_(0.3)
            self.spatial.weight[:, 0, 1, 1] += 1
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]
        self.scale = nn.Parameter(torch.zeros(NODES, hidden))
        self.shift = nn.Parameter(torch.zeros(NODES, hidden))

    def forward(self, x: Tensor, nodes: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H, W); ``nodes`` (B or 1, 9)."""
        hidden = self.spatial(x)
        scale, shift = 1 + nodes @ self.scale, nodes @ self.shift  # (B, 2C)
        if len(nodes) == 1:
            weight = self.expand.weight * scale.T[:, :, None, None]
            hidden = F.conv2d(hidden, weight, scale[0] * self.expand.bias + shift[0])  # type: ignore[operator]
        else:
            hidden = self.expand(hidden) * scale[:, :, None, None] + shift[:, :, None, None]
        return x + self.project(F.leaky_relu(hidden, 0.1))  # type: ignore[no-any-return]


class Layers(nn.ModuleList):
    """Layers one after another, of which the blocks are told the quality."""

    def forward(self, x: Tensor, nodes: Tensor) -> Tensor:
        """(B, C, H, W) → what the last layer makes of it; ``nodes`` (B or 1, 9)."""
        for layer in self:
            x = layer(x, nodes) if isinstance(layer, Block) else layer(x)
        return x


def features_to_blocks(h: Tensor, conv: nn.ConvTranspose2d) -> Tensor:
    """A 16×16 transposed convolution at stride 8 and padding 4, (B, n, H, W) → (B, c, 8·H, 8·W).

    Computed as a 2×2 convolution that makes blocks of 8×8 pixels: the same sums in a quarter of the time.
    """
    n, c = conv.weight.shape[:2]
    kernel = conv.weight.reshape(n, c, 2, 8, 2, 8).flip(2, 4).permute(1, 3, 5, 0, 2, 4).reshape(64 * c, n, 2, 2)
    pixels = F.pixel_shuffle(F.conv2d(F.pad(h, (1, 1, 1, 1)), kernel), 8)
    return pixels[:, :, 4:-4, 4:-4] + conv.bias[:, None, None]  # type: ignore[index]


class Analysis(nn.Module):
    """g_a: image to latent, scaled by the quality's gain.

    With four ``inputs`` the last says which pixels are missing (1).
    """

    def __init__(self, n1: int, n2: int, m: int, blocks1: int, blocks2: int, inputs: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, n1, 16, stride=8, padding=4)
        self.blocks1 = Layers(Block(n1) for _ in range(blocks1))
        self.down = nn.Conv2d(n1, n2, 2, stride=2)
        self.blocks2 = Layers(Block(n2) for _ in range(blocks2))
        self.head = nn.Conv2d(n2, m, 1)
        self.log_gain = nn.Parameter(torch.zeros(NODES, m))

    def forward(self, x: Tensor, nodes: Tensor) -> Tensor:
        """x (B, 3 or 4, H, W) in [0, 1], H and W multiples of 16; nodes (B or 1, 9) → y·gain (B, M, H/16, W/16)."""
        with exact():
            h = self.stem(x - 0.5)  # (B, n1, H/8, W/8)
        h = self.blocks1(h, nodes)
        with exact():
            h = self.down(h)  # (B, n2, H/16, W/16)
        h = self.blocks2(h, nodes)
        with exact():
            gain = torch.exp(nodes @ self.log_gain)
            return self.head(h) * gain[:, :, None, None]  # type: ignore[no-any-return]


class Synthesis(nn.Module):
    """g_s: quantised latent to image; its gain is learned apart from the encoder's."""

    def __init__(self, n1: int, n2: int, m: int, blocks1: int, blocks2: int) -> None:
        super().__init__()
        self.log_gain = nn.Parameter(torch.zeros(NODES, m))
        self.stem = nn.Conv2d(m, n2, 1)
        self.blocks2 = Layers(Block(n2) for _ in range(blocks2))
        self.up = nn.ConvTranspose2d(n2, n1, 2, stride=2)
        self.blocks1 = Layers(Block(n1) for _ in range(blocks1))
        self.head = nn.ConvTranspose2d(n1, 3, 16, stride=8, padding=4)

    def forward(self, y_hat: Tensor, nodes: Tensor) -> Tensor:
        """y_hat (B, M, H/16, W/16), nodes (B or 1, 9) → x_hat (B, 3, H, W), nominally in [0, 1], not clamped."""
        with exact():
            gain = torch.exp(nodes @ self.log_gain)
            h = self.stem(y_hat * gain[:, :, None, None])  # (B, n2, H/16, W/16)
        h = self.blocks2(h, nodes)
        with exact():
            h = self.up(h)  # (B, n1, H/8, W/8)
        h = self.blocks1(h, nodes)
        with exact():
            return features_to_blocks(h, self.head) + 0.5


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
