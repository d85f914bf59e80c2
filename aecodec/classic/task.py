"""Learning a classic autoencoder: what `training.loop` needs to know of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..training.loop import TrainConfig
from ..training.task import WHOLE, Batch, Pixels, Samples, places
from .images import Images, to_floats
from .networks import Autoencoder
from .presets import Loss, Recipe

SHOWN = 8
"""Rows of samples.png."""


class ClassicTask:
    """Reconstruct images from their code, or clean images from noisy ones."""

    name = "classic"

    def __init__(
        self, model: Autoencoder, recipe: Recipe, training: Images, validation: Images, source: Path, seed: int = 0
    ) -> None:
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.training, self.validation, self.source, self.seed = recipe, training, validation, source, seed
        self.steps_per_epoch: int | None = -(-len(training) // recipe.batch)
        self._order = (-1, np.empty(0, np.intp))

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        """That of the recipe, everything else at Keras's defaults."""
        groups = [{"params": list(self.model.parameters()), "factor": 1.0}]
        match self.recipe.optimizer:
            case "adam":
                return torch.optim.Adam(groups, rate, (self.recipe.beta1, 0.999), eps=1e-7, fused=True)
            case "adadelta":
                return torch.optim.Adadelta(groups, rate, rho=0.95, eps=1e-7)
            case "rmsprop":
                return torch.optim.RMSprop(groups, rate, alpha=0.9, eps=1e-7)
            case "sgd":
                return torch.optim.SGD(groups, rate)

    def batch(self, step: int, part: slice = WHOLE) -> Batch:
        """Every epoch takes all images in a new order, and new noise."""
        epoch, at = divmod(step, self.steps_per_epoch or 1)
        chosen = self._epoch_order(epoch)[at * self.recipe.batch : (at + 1) * self.recipe.batch]
        targets = to_floats(self.training.pixels[torch.from_numpy(chosen)])
        inputs = self._noisy(targets, np.random.default_rng((self.seed, step, 1)))
        names = [self.training.names[chosen[place]] for place in places(len(chosen), part)]
        return Batch(inputs[part], targets[part], names)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Of the recipe, with the penalty on the code."""
        return self._loss(self.model, batch.inputs, batch.targets)[0], {}

    def validate(self, model: Autoencoder) -> dict[str, float]:
        """The loss, and the mean of the PSNR (8 bits, in dB) of each image; with noise also that of the noisy images."""
        total = dict.fromkeys(("val_loss", "val_psnr", *(["val_psnr_noisy"] if self.recipe.noise else [])), 0.0)
        for inputs, targets in self._validation():
            loss, logits = self._loss(model, inputs, targets)
            figures = {
                "val_loss": loss,
                "val_psnr": psnr(torch.sigmoid(logits), targets).mean(),
                "val_psnr_noisy": psnr(inputs, targets).mean(),
            }
            for name in total:
                total[name] += figures[name].item() * len(targets) / len(self.validation)
        return total

    def samples(self, model: Autoencoder) -> Samples:
        """Images, what the model sees of them, and what it makes of that."""
        inputs, targets = (x[:SHOWN] for x in next(self._validation()))
        noisy = [("noisy", inputs)] if self.recipe.noise else []
        columns = [("original", targets), *noisy, ("reconstructed", torch.sigmoid(model(inputs)[0]))]
        pictures = [[to_pixels(image) for image in images] for _, images in columns]
        return Samples([name for name, _ in columns], list(zip(*pictures, strict=True)))

    def describe(self) -> dict[str, Any]:
        """Architecture, recipe, data."""
        return {
            "model": {**self.model.architecture.to_dict(), "shape": list(self.model.shape)},
            "recipe": asdict(self.recipe),
            "data": str(self.source),
            "images": len(self.training),
            "validation": len(self.validation),
        }

    def _loss(self, model: Autoencoder, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The recipe's loss, and the logits it is of."""
        logits, code = (output.float() for output in model(inputs))
        loss = reconstruction_loss(self.recipe.loss, logits, targets)
        if self.recipe.activity:
            loss = loss + self.recipe.activity * code.abs().flatten(1).sum(1).mean()
        return loss, logits

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.intp]:
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.training))
        return self._order[1]

    def _noisy(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        if not self.recipe.noise:
            return images
        noise = torch.from_numpy(rng.standard_normal(tuple(images.shape), np.float32))  # three times as fast as torch's
        return noise.mul_(self.recipe.noise).add_(images).clamp_(0, 1).contiguous(memory_format=torch.channels_last)

    def _validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, targets), always with the same noise."""
        rng = np.random.default_rng(0)
        for targets in self.validation.batches():
            yield self._noisy(targets, rng), targets


def train_config(recipe: Recipe, images: int, seed: int = 0) -> TrainConfig:
    """The recipe in the words of the loop: a constant rate and nothing that its source doesn't have.

    Figures are written after each epoch, but not for fewer than 100 steps; of many epochs 40 are validated and drawn.
    """
    steps_per_epoch = -(-images // recipe.batch)
    log_every = steps_per_epoch * math.ceil(100 / steps_per_epoch)
    steps = steps_per_epoch * recipe.epochs
    return TrainConfig(
        steps=steps,
        learning_rate=recipe.learning_rate,
        warmup=0,
        decay=0,
        ema=0.0,
        clip=0.0,
        seed=seed,
        log_every=log_every,
        validate_every=log_every * max(1, math.ceil(steps / log_every / 40)),
    )


def reconstruction_loss(loss: Loss, logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over pixels and batch. Binary cross-entropy takes gray values as probabilities, in nats."""
    match loss:
        case "mse":
            return F.mse_loss(torch.sigmoid(logits), targets)
        case "l1":
            return F.l1_loss(torch.sigmoid(logits), targets)
        case "bce":
            return F.binary_cross_entropy_with_logits(logits, targets)


def to_pixels(image: Tensor) -> Pixels:
    """(C, H, W) in [0, 1] → uint8 (H, W), or (H, W, 3)."""
    levels: Pixels = image.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return levels[:, :, 0] if levels.shape[2] == 1 else levels


def psnr(x_hat: Tensor, x: Tensor) -> Tensor:
    """PSNR in dB of each image (B,), as 8-bit images; equal ones get that of an error of 1 in one of a million pixels."""
    error = (x_hat.mul(255).round() - x.mul(255)).square().flatten(1).mean(1)
    return 10 * torch.log10(255**2 / error.clamp_min(1e-6))
