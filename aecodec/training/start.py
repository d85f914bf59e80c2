"""The PCA start: at step 0 the model already is a transform codec, which saves hours of training.

The first convolution becomes the principal components of 8×8×3 patches (in the middle of its 16×16 kernel), the 2×2 one the
components of those, the synthesis their transposes; every other layer starts small. The scale path's offsets start at
log(gain · standard deviation of the component), so that the rate is sensible at every λ.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.alphabet import INDEX_STEP, SCALE_MIN
from ..nets.autoencoder import AutoEncoder

PCA_PATCHES = 50_000
"""How many are enough."""
DAMP = 0.02
"""What is left of the random start beside the components."""
HEADROOM = 0.3
"""Context predicts part of each component: its residual's log scale starts this much lower."""


@torch.no_grad()
def pca_start(model: AutoEncoder, patches: Tensor) -> None:
    """Set the linear layers of a new model from patches (N, 3, 16, 16) in [0, 1]."""
    g_a, g_s, config = model.g_a, model.g_s, model.config
    blocks = F.unfold(patches - 0.5, 8, stride=8)  # (N, 192, 4)
    first, _ = _components(blocks.transpose(1, 2).reshape(-1, 192), config.n1)  # (192, n1)
    coefficients = torch.einsum("npk,pc->nck", blocks, first).flatten(1)  # (N, n1·4)
    kept = min(config.m, config.n2, 4 * config.n1)
    second, variance = _components(coefficients, kept)  # (n1·4, kept)

    kernel8 = first.T.reshape(config.n1, 3, 8, 8)
    kernel2 = second.T.reshape(kept, config.n1, 2, 2)
    for conv in (g_a.stem, g_s.head):
        _damp(conv)
        conv.weight[:, :, 4:12, 4:12] = kernel8
    for conv in (g_a.down, g_s.up):
        _damp(conv)
        conv.weight[:kept] = kernel2
    for conv in (g_a.head, g_s.stem):
        _damp(conv)
        conv.weight[:kept, :kept, 0, 0] += torch.eye(kept)
    log_scale = g_a.log_gain[:, :kept] + 0.5 * torch.log(variance.clamp_min(1e-9)) - HEADROOM
    model.scale_net.offset[:, :kept] = ((log_scale - math.log(SCALE_MIN)) / INDEX_STEP).clamp_min(0)


def _components(samples: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` directions (K, count) of largest second moment of samples (N, K), and those moments (count,)."""
    samples = samples.double()
    moments, directions = torch.linalg.eigh(samples.T @ samples / len(samples))
    return directions.flip(1)[:, :count].float(), moments.flip(0)[:count].float()


def _damp(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    conv.weight.mul_(DAMP)
    if conv.bias is not None:
        conv.bias.zero_()
