"""The codec's own task: R + λ·distortion over random patches at random λ, one model for all qualities."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..model.quality import LMBDA_MAX, LMBDA_MIN
from ..nets.autoencoder import AutoEncoder, Estimate
from .photographs import PatchSampler, Photographs, middle, to_pixels, to_tensor
from .soap import Soap
from .task import WHOLE, Batch, Samples

LMBDA_PIVOT = 0.016
"""Losses are weighted by (λ / LMBDA_PIVOT)^-0.5: low and high rates then pull equally."""

MSE_WEIGHT = 255.0**2
MS_SSIM_WEIGHT = 1280.0
"""1 − MS-SSIM in the units of 255²·MSE: the ratio of the λ that CompressAI trains with for about the same rates."""

VALIDATED_LMBDA = torch.exp(torch.linspace(math.log(LMBDA_MIN * 1.5), math.log(LMBDA_MAX / 2), 5))

RATES_OF_TRAINED = {"linear_rate": 0.3, "gain_rate": 2.0}
"""Where a trained model goes on: of its jitter at a constant rate, these layers and gains would make two thirds."""

Distortion = Literal["mse", "ms-ssim"]
Optimizer = Literal["adam", "soap"]


@dataclass(frozen=True)
class CompressionConfig:
    """Batches and loss. Sizes are those found best in equal time on two cores."""

    batch: int = 16  # many different images a step while the rate is high
    patch: int = 128
    late_batch: int = 8  # fewer, larger patches while it decays
    late_patch: int = 192
    late_from: int = 70_000  # the step at which it begins to
    linear_rate: float = 1.0  # of the layers between pixels, latent and residual stream, which at high quality must be exact
    gain_rate: float = 5.0  # gains live in the log domain and arrive last without this factor
    offset_rate: float = 50.0  # so do the integer nets' offsets, in scale indexes, of which ten and five are a natural unit
    distortion: Distortion = "mse"
    optimizer: Optimizer = "soap"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.patch % 64 or self.late_patch % 64:
            raise UsageError(f"patches are {self.patch} and {self.late_patch} pixels, must be multiples of 64")
        if self.distortion == "ms-ssim" and min(self.patch, self.late_patch) < 128:
            raise UsageError("MS-SSIM needs patches of at least 128 pixels")


class RateDistortion(NamedTuple):
    """The parts of the loss, of each sample."""

    loss: Tensor
    """(B,), weighted"""
    bpp: Tensor
    """(B,)"""
    mse: Tensor
    """(B,)"""

    def figures(self) -> dict[str, float]:
        """Means over the batch, for the log."""
        psnr = -10 * torch.log10(self.mse)
        return {"bpp": self.bpp.mean().item(), "psnr": psnr.mean().item()}


class CompressionTask:
    """Compress photographs: `model.AutoEncoder` as a whole."""

    name = "compress"
    steps_per_epoch: int | None = None

    def __init__(self, model: AutoEncoder, photographs: Photographs, config: CompressionConfig = CompressionConfig()) -> None:
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.photographs, self.config = photographs, config
        self.sampler = PatchSampler(photographs.training, config.seed)

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        """SOAP or Adam; what is more or less sensitive than most has a rate of its own, and gains and offsets aren't turned."""
        model, config = self.model, self.config
        g_a, g_s = model.g_a, model.g_s
        linear = nn.ModuleList([g_a.stem, g_a.down, g_a.head, g_s.stem, g_s.up, g_s.head])
        gains = [p for name, p in model.named_parameters() if "log_gain" in name]
        offsets = [model.scale_net.offset, model.hyper_net.offset]
        apart = {id(p) for p in (*linear.parameters(), *gains, *offsets)}
        groups: list[dict[str, Any]] = [
            {"params": [p for p in model.parameters() if id(p) not in apart], "factor": 1.0, "turn": True},
            {"params": list(linear.parameters()), "factor": config.linear_rate, "turn": True},
            {"params": gains, "factor": config.gain_rate, "turn": False},
            {"params": offsets, "factor": config.offset_rate, "turn": False},
        ]
        if config.optimizer == "adam":
            return torch.optim.Adam(groups, lr=rate, betas=(0.9, 0.99), fused=True)
        return Soap(groups, lr=rate)

    def batch(self, step: int, part: slice = WHOLE) -> Batch:
        """Random patches."""
        c = self.config
        size, patch = (c.late_batch, c.late_patch) if step >= c.late_from else (c.batch, c.patch)
        x, names = self.sampler.batch(step, size, patch, part)
        return Batch(x, x, names)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """R + λ·D, each sample at a λ of its own."""
        lmbda = random_lmbda(len(batch.inputs))
        result = rate_distortion(self.model(batch.inputs, lmbda), batch.targets, lmbda, self.config.distortion)
        return result.loss.mean(), result.figures()

    def validate(self, model: AutoEncoder) -> dict[str, float]:
        """Mean loss, bpp and PSNR of the middles of some images at five λ, everything rounded as in a file."""
        total = dict.fromkeys(("val_loss", "val_bpp", "val_psnr"), 0.0)
        for image in self.photographs.validation.values():
            x = to_tensor(middle(image)).expand(5, -1, -1, -1).contiguous(memory_format=torch.channels_last)
            result = rate_distortion(model(x, VALIDATED_LMBDA), x, VALIDATED_LMBDA, self.config.distortion)
            figures = {"loss": result.loss.mean().item(), **result.figures()}
            for name, value in figures.items():
                total[f"val_{name}"] += value / len(self.photographs.validation)
        return total

    def samples(self, model: AutoEncoder) -> Samples:
        """The middles of images at a low, a middle and a high λ."""
        chosen = VALIDATED_LMBDA[::2]
        rows = []
        for image in list(self.photographs.validation.values())[:4]:
            original = middle(image, 256)
            coded = [model(to_tensor(original), lmbda[None]).x_hat for lmbda in chosen]
            rows.append([original, *map(to_pixels, coded)])
        return Samples(("original", *(f"lambda {lmbda:.4f}" for lmbda in chosen)), rows)

    def describe(self) -> dict[str, Any]:
        """Sizes, configuration, data."""
        return {"model": self.model.config.to_dict(), "compression": asdict(self.config), **self.photographs.describe()}


def random_lmbda(count: int) -> Tensor:
    """Log-uniform over the quality range, (count,)."""
    return LMBDA_MIN * torch.exp(torch.rand(count) * math.log(LMBDA_MAX / LMBDA_MIN))


def rate_distortion(estimate: Estimate, x: Tensor, lmbda: Tensor, distortion: Distortion = "mse") -> RateDistortion:
    """The loss of what a model made, against images x (B, 3, H, W) in [0, 1], at lmbda (B,)."""
    bpp = (estimate.bits_y + estimate.bits_z) / (x.shape[2] * x.shape[3])
    mse = (estimate.x_hat - x).square().flatten(1).mean(1)
    weighted = MSE_WEIGHT * mse if distortion == "mse" else MS_SSIM_WEIGHT * (1 - _ms_ssim(estimate.x_hat, x))
    loss = (bpp + lmbda * weighted) * (lmbda / LMBDA_PIVOT) ** -0.5
    return RateDistortion(loss, bpp.detach(), mse.detach())


def _ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """MS-SSIM of each sample (B,) (Wang et al., 2003), its window smaller where five scales would not fit."""
    from pytorch_msssim import ms_ssim

    window = 11 if min(x.shape[2:]) > 160 else 7
    similarity: Tensor = ms_ssim(x_hat, x, data_range=1.0, size_average=False, win_size=window)
    return similarity
