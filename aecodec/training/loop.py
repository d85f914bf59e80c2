"""The training loop, readable top to bottom: R + λ·255²·MSE over random patches at random λ.

    runs/NAME/
        config.json       everything needed to repeat the run
        checkpoint.pt     model, moving average, optimiser, step; replaced every few minutes
        metrics.csv       the curve: a row every LOG_EVERY steps

A batch is a function of (seed, step) and so is the noise, so a run that is killed and resumed goes on as if nothing had happened.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import AecError, UsageError
from ..model.autoencoder import AutoEncoder, ModelConfig
from ..model.quality import LMBDA_MAX, LMBDA_MIN
from . import checkpoint
from .data import PatchSampler, Pixels, load_folder
from .start import pca_start

LOG_EVERY = 100
PCA_PATCHES = 50_000
LMBDA_PIVOT = 0.016
"""Losses are weighted by (λ / LMBDA_PIVOT)^-0.5: low and high rates then pull equally."""


@dataclass(frozen=True)
class TrainConfig:
    """One run. Rates and sizes are those found best in equal time on two cores."""

    steps: int = 100_000
    batch: int = 16  # many different images a step while the rate is high
    patch: int = 128
    late_batch: int = 4  # fewer, larger patches while it decays
    late_patch: int = 256
    learning_rate: float = 7e-4  # 2e-3 is clearly worse
    final_rate: float = 1e-5
    warmup: int = 200
    decay: int = 30_000  # the last steps, over which the rate falls; 0 keeps it constant
    log_domain_rate: float = 5.0  # gains, offsets and the prior live in the log domain and arrive last without this factor
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    validation_images: int = 8
    checkpoint_minutes: float = 5.0


class DivergedError(AecError):
    """The loss is no longer a number; the message names the step."""


def learning_rate(config: TrainConfig, step: int) -> float:
    """Warm-up, constant, then a cosine down to ``final_rate`` over the last ``decay`` steps."""
    start = config.steps - config.decay
    if step < start or config.decay == 0:
        return config.learning_rate * min(1.0, (step + 1) / config.warmup)
    progress = (step - start) / config.decay
    return config.final_rate + (config.learning_rate - config.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


class Run:
    """The state of one training run: networks, optimiser, step, and the seconds spent."""

    def __init__(self, folder: Path, config: TrainConfig, model: AutoEncoder) -> None:
        self.folder, self.config = folder, config
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = make_optimizer(self.model, config)
        self.step, self.seconds = 0, 0.0

    @property
    def checkpoint_path(self) -> Path:
        """Where `save` writes."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Replace the checkpoint."""
        checkpoint.save(
            self.checkpoint_path,
            {
                "config": self.model.config.to_dict(),
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )

    def resume(self) -> None:
        """Go on from the checkpoint; the learning rates come from the config as it is now."""
        state = checkpoint.load(self.checkpoint_path)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def train_step(self, x: Tensor) -> dict[str, float]:
        """One update on a batch (B, 3, H, W); returns loss, bpp and PSNR of the batch."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        rate = learning_rate(self.config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        span = math.log(LMBDA_MAX / LMBDA_MIN)
        lmbda = LMBDA_MIN * torch.exp(torch.rand(len(x)) * span)  # log-uniform, one for each sample
        loss, bpp, mse = rate_distortion(self.model, x, lmbda)
        if not torch.isfinite(loss):
            raise DivergedError(f"step {self.step}: the loss is {loss.item()}; lower the learning rate and resume")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        psnr = -10 * torch.log10(mse).mean()
        return {"loss": loss.item(), "bpp": bpp.mean().item(), "psnr": psnr.item(), "rate": rate}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)


def make_optimizer(model: AutoEncoder, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, with a higher rate for the parameters that live in the log domain."""
    fast = [model.g_a.log_gain, model.g_s.log_gain, *model.prior.parameters()]
    offsets = [model.scale_net.offset]  # in scale indexes, of which ten are one natural unit
    apart = {id(p) for p in (*fast, *offsets)}
    rest = [p for p in model.parameters() if id(p) not in apart]
    groups = [
        {"params": rest, "factor": 1.0},
        {"params": fast, "factor": config.log_domain_rate},
        {"params": offsets, "factor": config.log_domain_rate * 10},
    ]
    return torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def rate_distortion(model: AutoEncoder, x: Tensor, lmbda: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted loss (scalar), and bpp and MSE of each sample (B,)."""
    estimate = model(x, lmbda)
    mse = (estimate.x_hat - x).square().flatten(1).mean(1)
    bpp = (estimate.bits_y + estimate.bits_z) / (x.shape[2] * x.shape[3])
    loss = (bpp + lmbda * 255**2 * mse) * (lmbda / LMBDA_PIVOT) ** -0.5
    return loss.mean(), bpp.detach(), mse.detach()


@torch.no_grad()
def validate(model: AutoEncoder, images: list[Pixels], side: int = 512) -> dict[str, float]:
    """Mean loss, bpp and PSNR of the middles of some images at five λ, everything rounded as in a file."""
    lmbda = torch.exp(torch.linspace(math.log(LMBDA_MIN * 1.5), math.log(LMBDA_MAX / 2), 5))
    total = torch.zeros(3)
    for image in images:
        height, width = (min(side, extent // 64 * 64) for extent in image.shape[:2])
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        pixels = torch.from_numpy(image[top : top + height, left : left + width].copy())
        x = pixels.permute(2, 0, 1)[None].float().div(255).expand(5, -1, -1, -1)
        loss, bpp, mse = rate_distortion(model, x.contiguous(memory_format=torch.channels_last), lmbda)
        total += torch.stack([loss, bpp.mean(), -10 * torch.log10(mse).mean()])
    loss_, bpp_, psnr = (total / len(images)).tolist()
    return {"val_loss": loss_, "val_bpp": bpp_, "val_psnr": psnr}


def train(data: Path, folder: Path, config: TrainConfig, start: AutoEncoder | ModelConfig, progress: bool = True) -> Run:
    """Train until ``config.steps``, resuming if the folder has a checkpoint. Ctrl-C saves and returns.

    ``start`` is a model to go on from, or the sizes of a new one, which then starts from principal components.
    """
    if config.patch % 64 or config.late_patch % 64:
        raise UsageError(f"patches are {config.patch} and {config.late_patch} pixels, must be multiples of 64")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    run = Run(folder, config, start if isinstance(start, AutoEncoder) else AutoEncoder(start))
    resumed = run.checkpoint_path.exists()
    if resumed:
        run.resume()
    description = {"train": asdict(config), "model": run.model.config.to_dict(), "data": str(data)}
    (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n")
    images = list(load_folder(data, max(config.patch, config.late_patch), progress).values())
    held_out = max(1, min(config.validation_images, len(images) // 10))
    validation = images[:: len(images) // held_out][:held_out]
    chosen = {id(image) for image in validation}
    sampler = PatchSampler([image for image in images if id(image) not in chosen] or images, config.seed)
    if not resumed and isinstance(start, ModelConfig):
        pca_start(run.model, sampler.batch(0, PCA_PATCHES, 16))
        run.average.load_state_dict(run.model.state_dict())
    try:
        _loop(run, sampler, validation, progress)
    except KeyboardInterrupt:
        tqdm.write(f"interrupted at step {run.step}, saved; run the same command to go on", file=sys.stderr)
    run.save()
    return run


def _loop(run: Run, sampler: PatchSampler, validation: list[Pixels], progress: bool) -> None:
    config = run.config
    bar = tqdm(total=config.steps, initial=run.step, unit="step", smoothing=0.05, disable=not progress)
    recent: list[dict[str, float]] = []
    last_save = last_tick = time.monotonic()
    run.model.train()
    while run.step < config.steps:
        late = run.step >= config.steps - config.decay
        size, patch = (config.late_batch, config.late_patch) if late else (config.batch, config.patch)
        recent.append(run.train_step(sampler.batch(run.step, size, patch)))
        now = time.monotonic()
        run.seconds, last_tick = run.seconds + now - last_tick, now
        bar.update()
        if run.step % LOG_EVERY == 0 or run.step == config.steps:
            row = {name: sum(metrics[name] for metrics in recent) / len(recent) for name in recent[0]}
            recent.clear()
            if run.step % (10 * LOG_EVERY) == 0 or run.step == config.steps:
                row |= validate(run.average, validation)
            _log(run, row)
            bar.set_postfix({name: f"{row[name]:.3f}" for name in ("loss", "bpp", "psnr")})
        if now - last_save > config.checkpoint_minutes * 60:
            run.save()
            last_save = now
    bar.close()


COLUMNS = ("step", "hours", "rate", "loss", "bpp", "psnr", "val_loss", "val_bpp", "val_psnr")


def _log(run: Run, row: dict[str, float]) -> None:
    path = run.folder / "metrics.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        if new:
            writer.writeheader()
        shown = {name: f"{value:.5g}" for name, value in row.items()}
        writer.writerow({"step": run.step, "hours": f"{run.seconds / 3600:.3f}", **shown})
