"""The whole model for training: image → latent → noisy or rounded latent → image, and the bits it takes.

Coding runs the same networks one by one (`engine.py`, `codec.py`); here they are put together so that gradients flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..entropy.alphabet import Z_MAX
from ..entropy.tables import Tables
from ..errors import ModelError
from ..model.quality import LMBDA_MAX, LMBDA_MIN, NODES
from ..model.steps import STEPS, step_parts
from ..model.weights import Weights
from .context import ContextMeans, FirstMeans
from .gather import gathered, scattered
from .hyper_net import HyperNet
from .quantised import round_through
from .scale_net import ScaleNet, log_scale
from .transforms import Analysis, Synthesis, exact, hyper_analysis, hyper_synthesis
from .trellis_grad import Choice, Chooser, SymbolCosts


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the networks; the defaults are the shipped model's."""

    n1: int = 96  # channels at 1/8
    n2: int = 320  # channels at 1/16
    m: int = 320  # latent channels: the ceiling of the quality (320 principal components of 16×16×3 reach 45.5 dB on Kodak)
    nz: int = 64  # hyper-latent channels
    nc: int = 128  # channels of the hyper and context networks
    blocks1: int = 4  # blocks at 1/8, in g_a and in g_s
    blocks2: int = 3  # blocks at 1/16

    def to_dict(self) -> dict[str, int]:
        """Plain, for metadata."""
        return asdict(self)


def analysis(config: ModelConfig, inputs: int = 3) -> Analysis:
    """A g_a of these sizes; one of four ``inputs`` can replace that of a model, to inpaint."""
    return Analysis(config.n1, config.n2, config.m, config.blocks1, config.blocks2, inputs)


Choose = Callable[[Tensor, Tensor], Choice]
"""(values of a step in order (B, n), their scale indexes) → what becomes of them."""


class Estimate(NamedTuple):
    """What `AutoEncoder.forward` returns."""

    x_hat: Tensor
    """(B, 3, H, W), not clamped"""
    bits_y: Tensor
    """(B,)"""
    bits_z: Tensor
    """(B,)"""


class Steps(NamedTuple):
    """What `AutoEncoder.code_steps` returns; all but y_hat of the steps one after another, in order, (B, M·H·W)."""

    y_hat: Tensor
    """(B, M, H, W)"""
    values: Tensor
    """what the means leave of y"""
    indexes: Tensor
    bits: Tensor
    """what the symbols cost, as the choice has it"""


def node_weights(lmbda: Tensor) -> Tensor:
    """Interpolation weights (B, NODES) of λ (B,): `quality.node_weights`, differentiable and for many at once."""
    position = torch.log(lmbda / LMBDA_MIN) / math.log(LMBDA_MAX / LMBDA_MIN) * (NODES - 1)
    return (1 - (position.clamp(0, NODES - 1)[:, None] - torch.arange(NODES)).abs()).clamp_min(0)


def gaussian_bits(r: Tensor, log_sigma: Tensor) -> Tensor:
    """Bits of a residual in its unit bin under a zero-mean Gaussian."""
    inv = torch.exp(-log_sigma) * 2**-0.5
    a = r.abs()
    p = 0.5 * (torch.erfc((a - 0.5) * inv) - torch.erfc((a + 0.5) * inv))
    return -torch.log2(p.clamp_min(1e-9))


class AutoEncoder(nn.Module):
    """All networks of one model. Attribute names are those of the weights file."""

    def __init__(self, config: ModelConfig = ModelConfig()) -> None:
        super().__init__()
        self.config = c = config
        self.g_a = analysis(c)
        self.g_s = Synthesis(c.n1, c.n2, c.m, c.blocks1, c.blocks2)
        self.h_a = hyper_analysis(c.m, c.nc, c.nz)
        self.h_s = hyper_synthesis(c.nz, c.nc)
        self.context = nn.ModuleList([FirstMeans(c.m, c.nc), *(ContextMeans(c.m, c.nc, step) for step in range(1, STEPS))])
        self.scale_net = ScaleNet(c.m, c.nz, STEPS)
        self.hyper_net = HyperNet(c.nz)
        self.symbol_costs = SymbolCosts()
        log_gain = math.log(50) + 0.5 * torch.linspace(math.log(LMBDA_MIN), math.log(LMBDA_MAX), NODES)
        self.g_a.log_gain.data.copy_(log_gain[:, None])
        self.g_s.log_gain.data.copy_(-log_gain[:, None])

    def forward(self, x: Tensor, lmbda: Tensor) -> Estimate:
        """x (B, 3, H, W) in [0, 1], H and W multiples of 64; lmbda (B,).

        Rate and distortion are those of a file. In training the latent gets the gradient of expected ones (`trellis_grad.py`),
        the scales that of additive uniform noise, ẑ straight-through the one and the other (Minnen & Singh, ICIP 2020, section
        3.2).
        """
        nodes = node_weights(lmbda)
        return self.code(self.g_a(x, nodes), nodes)

    def code(self, y: Tensor, nodes: Tensor) -> Estimate:
        """The rest of `forward`, for a scaled latent (B, M, H/16, W/16) of any g_a; nodes (B, NODES)."""
        with exact():  # what is rounded to integers must be what it is in files
            z = self.h_a(y, nodes)  # (B, nz, H/64, W/64)
            z_hat = round_through(z).clamp(-Z_MAX, Z_MAX)
            bits_z = self.hyper_net.bits(_with_noise(z) if self.training else z_hat, z_hat, nodes)
        choose = Chooser(self.symbol_costs)
        steps = self.code_steps(y, z_hat, nodes, choose)
        bits_y = steps.bits
        if self.training:  # tables have no gradient with respect to the scale index, densities under additive noise have
            by_scale = gaussian_bits(_with_noise(steps.values.detach()), log_scale(steps.indexes))
            bits_y = bits_y + by_scale - by_scale.detach()
            self.symbol_costs.remember(choose.seen)
        x_hat = self.g_s(steps.y_hat, nodes)
        return Estimate(x_hat, bits_y.sum(1), bits_z.flatten(1).sum(1))

    def code_steps(self, y: Tensor, z_hat: Tensor, nodes: Tensor, choose: Choose) -> Steps:
        """The four steps: y (B, M, H, W), ẑ (B, nz, ⌈H/4⌉, ⌈W/4⌉), and what makes residuals of what the means leave of y."""
        height, width = y.shape[2:]
        features = self.h_s(z_hat, nodes)[:, :, :height, :width]
        with exact():
            scale_features = self.scale_net.features(z_hat)[:, :, :height, :width]
        y_hat, symbols = torch.zeros_like(y), torch.zeros_like(y)
        coded = []
        for k in range(STEPS):
            parts = step_parts(y.shape[1], k)
            seen = (y_hat, features) if k else (features,)
            mean = self.context[k].of_step(*seen, nodes)  # type: ignore[operator]
            with exact():
                index = self.scale_net.index(k, scale_features, symbols if k else None, nodes)
            value = gathered(y, parts) - mean
            chosen = choose(value, index)
            y_hat = y_hat + scattered(chosen.residual + mean, parts, y.shape)
            symbols = symbols + scattered(chosen.symbol, parts, y.shape)
            coded.append((value, index, chosen.bits))
        return Steps(y_hat, *(torch.cat(steps, 1) for steps in zip(*coded, strict=True)))


def _with_noise(value: Tensor) -> Tensor:
    return value + torch.rand_like(value) - 0.5


def from_weights(weights: Weights) -> AutoEncoder:
    """The model of a weights file, to go on training from or to search with; raises ModelError if it is not one of these."""
    try:
        model = AutoEncoder(ModelConfig(**weights.config))
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.floats.items()}, strict=False)
        tensors = {name: torch.from_numpy(np.asarray(tensor)) for name, tensor in weights.tensors.items()}
        model.scale_net.load_integers(tensors)
        model.hyper_net.load_integers(tensors)
        model.symbol_costs.load(Tables.load(weights.tensors))
    except (KeyError, RuntimeError, TypeError) as error:
        raise ModelError(f"model {weights.path}: not that of an autoencoder ({' '.join(str(error).split())})") from error
    return model


def load_model(path: Path) -> AutoEncoder:
    """A weights file as a model to go on training from."""
    return from_weights(Weights.load(path))
