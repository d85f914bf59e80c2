"""Denoising and inpainting: a g_a that makes from a corrupted image the latent of the clean one.

Decoder, entropy model and hyper networks stay those of a finished model, so what the new encoder makes is an ordinary file. The
model's own g_a is the teacher: it sees the clean image, the new one the corrupted image, and the distance of their latents is
the loss. That is what theory asks for: the best code of a noisy source is the code of its estimate (Wolf & Ziv, "Transmission of
noisy information to a noisy receiver with minimum distortion", IEEE Trans. IT 1970), and the scaled latent is where a step of
quantization, and so an error, weighs the same everywhere. A step costs half of one through the decoder and the entropy model;
these judge in validation, by R + λ·255²·MSE against the clean image.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError, UsageError
from ..model.encoders import Encoder, Kind
from ..model.weights import Weights
from ..nets.autoencoder import AutoEncoder, analysis, load_model, node_weights
from ..nets.transforms import Analysis
from .compression import VALIDATED_LMBDA, random_lmbda, rate_distortion
from .corruptions import Corrupted, Step, corrupt, parse
from .photographs import PatchSampler, Photographs, middle, to_pixels, to_tensor
from .soap import Soap
from .task import WHOLE, Batch, Pixels, Samples, places

CORRUPTIONS: dict[Kind, tuple[str, ...]] = {
    "denoise": ("gaussian:0-55,gaussian:0-55,gaussian:0-55,poisson:0-55",),
    "inpaint": ("strokes:5-35,strokes:5-35,rectangles:5-30,crosshair:2-16,pixels:10-70",),
}
"""What each task restores by default, in the syntax of `corruptions`."""

QUANTIZATION = 1 / 12
"""The squared error of rounding, on average."""

COLUMNS: dict[Kind, str] = {"denoise": "noisy", "inpaint": "damaged"}


@dataclass(frozen=True)
class RestorationConfig:
    """What is restored, and the batches. Raises UsageError for corruptions that are not of this kind."""

    kind: Kind
    corruptions: Sequence[str] = ()
    """texts for `corruptions.parse`, applied one after another; those of the table if there are none"""
    batch: int = 16
    patch: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.patch % 64:
            raise UsageError(f"patches are {self.patch} pixels, must be multiples of 64")
        holes = any(one.makes_holes for step in self.steps() for one in step)
        if self.kind == "denoise" and holes:
            raise UsageError("denoise knows no missing pixels; that is what inpaint is for")
        if self.kind == "inpaint" and not holes:
            raise UsageError("inpaint needs a corruption that makes pixels missing")

    def texts(self) -> list[str]:
        """The corruptions as they are meant."""
        return list(self.corruptions or CORRUPTIONS[self.kind])

    def steps(self) -> list[Step]:
        """For `corruptions.corrupt`."""
        return [parse(text) for text in self.texts()]


class RestorationTask:
    """A g_a for the model of the weights file ``base``. It begins as that model's own, or as ``init``, an encoder of any model.

    Raises:
        ModelError: a file is missing or broken, or of another kind or size.
    """

    steps_per_epoch: int | None = None

    def __init__(self, base: Path, photographs: Photographs, config: RestorationConfig, init: Path | None = None) -> None:
        self.name: str = config.kind
        self.steps = config.steps()
        self.fingerprint = Weights.load(base).fingerprint
        self.base = load_model(base).requires_grad_(False).eval()
        self.base.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = new_encoder(self.base, config.kind)
        if init:
            load_encoder(self.model, init)
        self.photographs, self.config = photographs, config
        self.sampler = PatchSampler(photographs.training, config.seed)

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        """SOAP; the gains live in the log domain and are vectors in truth."""
        gain = self.model.log_gain
        rest = [p for p in self.model.parameters() if p is not gain]
        groups = [{"params": rest, "factor": 1.0}, {"params": [gain], "factor": 1.0, "turn": False}]
        return Soap(groups, lr=rate)

    def batch(self, step: int, part: slice = WHOLE) -> Batch:
        """Corrupted patches and clean ones."""
        c = self.config
        clean, names = self.sampler.batch(step, c.batch, c.patch, part)
        rngs = [np.random.default_rng((c.seed, step, 1, place)) for place in places(c.batch, part)]
        inputs = [self._input(corrupt(to_pixels(x[None]), self.steps, rng)) for x, rng in zip(clean, rngs, strict=True)]
        return Batch(torch.cat(inputs), clean, names)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Log of the squared distance to the latents of the clean images, in quantization steps; a λ for each sample.

        The log lets little and much damage pull alike. Errors far below what quantization adds anyway count no more.
        """
        lmbda = random_lmbda(len(batch.inputs))
        nodes = node_weights(lmbda)
        inputs, targets = (x.contiguous(memory_format=torch.channels_last) for x in (batch.inputs, batch.targets))
        with torch.no_grad():
            y = self.base.g_a(targets, nodes)
        error = (self.model(inputs, nodes) - y).square().flatten(1).mean(1)
        return torch.log(error + QUANTIZATION).mean(), {"error": error.mean().item()}

    def validate(self, model: Analysis) -> dict[str, float]:
        """Mean loss, bpp and PSNR of the middles of some images at five λ; what they suffer is always the same."""
        total = dict.fromkeys(("val_loss", "val_bpp", "val_psnr"), 0.0)
        for clean, state in self._validation():
            x, target = (t.expand(5, -1, -1, -1) for t in (self._input(state), to_tensor(clean)))
            nodes = node_weights(VALIDATED_LMBDA)
            estimate = self.base.code(model(x.contiguous(memory_format=torch.channels_last), nodes), nodes)
            result = rate_distortion(estimate, target, VALIDATED_LMBDA)
            for name, value in {"loss": result.loss.mean().item(), **result.figures()}.items():
                total[f"val_{name}"] += value / len(self.photographs.validation)
        return total

    def samples(self, model: Analysis) -> Samples:
        """Original, corrupted, and reconstructed by the old and by the new encoder, at a middle λ."""
        rows = []
        lmbda = VALIDATED_LMBDA[3:4]
        for clean, state in self._validation():
            damaged = np.where(state.missing[:, :, None], np.uint8(255), state.pixels)
            x = self._input(state)
            plain = self.base(x[:, :3], lmbda).x_hat
            restored = self.base.code(model(x, node_weights(lmbda)), node_weights(lmbda)).x_hat
            rows.append([clean, damaged, to_pixels(plain), to_pixels(restored)])
        return Samples(("original", COLUMNS[self.config.kind], "by the default encoder", "reconstructed"), rows)

    def describe(self) -> dict[str, Any]:
        """Base model, configuration, data."""
        model = {**self.base.config.to_dict(), "base": self.fingerprint.hex()}
        restoration = {**asdict(self.config), "corruptions": self.config.texts()}
        return {"model": model, "restoration": restoration, **self.photographs.describe()}

    def _validation(self) -> list[tuple[Pixels, Corrupted]]:
        """The middles of the validation images, clean and corrupted."""
        images = [middle(image, 256) for image in self.photographs.validation.values()]
        return [(image, corrupt(image, self.steps, np.random.default_rng(i))) for i, image in enumerate(images)]

    def _input(self, state: Corrupted) -> Tensor:
        """(1, 3 or 4, H, W) float32 in [0, 1]."""
        x = to_tensor(state.pixels)
        if self.config.kind == "denoise":
            return x
        return torch.cat([x, torch.from_numpy(state.missing)[None, None].float()], 1)


def new_encoder(base: AutoEncoder, kind: Kind) -> Analysis:
    """The model's own g_a to begin with; that of inpainting gets a fourth input, which at first says nothing."""
    if kind == "denoise":
        return copy.deepcopy(base.g_a).requires_grad_(True)
    encoder = analysis(base.config, inputs=4)
    state = base.g_a.state_dict()
    stem = state["stem.weight"]
    encoder.load_state_dict({**state, "stem.weight": torch.cat([stem, torch.zeros_like(stem[:, :1])], 1)})
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_encoder(model: Analysis, path: Path) -> None:
    """Take over an encoder file, whichever model it belongs to; raises ModelError if it doesn't fit."""
    tensors = Encoder.load(path).tensors
    try:
        model.load_state_dict({name.removeprefix("g_a."): torch.from_numpy(tensor) for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise ModelError(f"encoder {path}: of another kind or size ({' '.join(str(error).split())})") from error


def export_encoder(state: dict[str, Any], path: Path) -> None:
    """Write the encoder file of a run, whose checkpoint is ``state``."""
    tensors = {f"g_a.{name}": tensor.numpy() for name, tensor in state["average"].items()}
    Encoder(path, state["task"], bytes.fromhex(state["config"]["base"]), tensors).save()
