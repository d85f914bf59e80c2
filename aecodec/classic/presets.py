"""The classic autoencoders as data: what each is made of, and the recipe that its source trains it with. No torch.

Most are the examples that introductions to autoencoders use, written for Keras: where a source leaves something open, what Keras
does by default is taken (Glorot initialization, Adam at 1e-3, Adadelta at 1e-3, batch normalization with momentum 0.99). The
recipes are kept as they are given, also where they hardly learn: Adadelta once had a rate of 1 by default, and 3e-6 is very
little for Adam. ``tuned`` is then what gets further in the same epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Kind = Literal["dense", "pooled", "resized", "normalized"]
Loss = Literal["mse", "l1", "bce"]
Optimizer = Literal["adam", "adadelta", "sgd", "rmsprop"]


@dataclass(frozen=True)
class Architecture:
    """Layers from the image to the code; the decoder mirrors them. `networks` has a builder for each kind."""

    kind: Kind
    nodes: tuple[int, ...]
    """units, or channels, of each layer before the code"""
    code: int
    """units, or channels, of the code"""
    he: bool = False
    """He-normal initialization instead of Glorot-uniform"""

    def to_dict(self) -> dict[str, Any]:
        """Plain, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Architecture:
        """The inverse of `to_dict`."""
        return cls(**{**plain, "nodes": tuple(plain["nodes"])})


@dataclass(frozen=True)
class Recipe:
    """How it is trained."""

    loss: Loss
    epochs: int
    batch: int = 128
    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    """of Adam"""
    noise: float = 0.0
    """standard deviation of the Gaussian noise on the input, whose sum with the image is clipped to [0, 1]; 0 for none"""
    activity: float = 0.0
    """weight of the L1 penalty on the code: its sum over the code, mean over the batch"""


@dataclass(frozen=True)
class Preset:
    """One named autoencoder."""

    about: str
    architecture: Architecture
    recipe: Recipe
    tuned: Recipe | None = None


_CONV = Recipe("bce", epochs=3, optimizer="adadelta")
_CONV_DENOISE = Recipe("bce", epochs=3, optimizer="adadelta", noise=0.5)
_CONV_DENOISE_BN = Recipe("mse", epochs=20, batch=64, learning_rate=3e-6, beta1=0.99, noise=0.1)

PRESETS: dict[str, Preset] = {
    "vanilla": Preset(
        "one layer to a code of 64",
        Architecture("dense", (), 64),
        Recipe("mse", epochs=5),
    ),
    "multilayer": Preset(
        "two layers to a code of 64",
        Architecture("dense", (128,), 64),
        Recipe("mse", epochs=5),
    ),
    "sparse": Preset(
        "a code of 32 under an L1 penalty",
        Architecture("dense", (), 32),
        Recipe("mse", epochs=15, activity=1e-4),
    ),
    "dense-denoise": Preset(
        "three layers to a code of 32, removes noise",
        Architecture("dense", (128, 64), 32, he=True),
        Recipe("mse", epochs=200, noise=0.5),
    ),
    "conv": Preset(
        "convolutions and max-pooling to a code of 8x4x4",
        Architecture("pooled", (16, 8), 8),
        _CONV,
        tuned=replace(_CONV, optimizer="adam", learning_rate=3e-3),
    ),
    "conv-denoise": Preset(
        "convolutions and max-pooling to a code of 32x7x7, removes noise",
        Architecture("pooled", (32,), 32),
        _CONV_DENOISE,
        tuned=replace(_CONV_DENOISE, optimizer="adam", learning_rate=3e-3),
    ),
    "conv-denoise-resize": Preset(
        "convolutions and max-pooling to a code of 16x4x4, back by resizing, removes noise",
        Architecture("resized", (32, 32), 16),
        Recipe("bce", epochs=100, batch=200, noise=0.5),
    ),
    "conv-denoise-bn": Preset(
        "convolutions with batch normalization to a code of 128x4x4, removes noise",
        Architecture("normalized", (32, 64), 128),
        _CONV_DENOISE_BN,
        tuned=replace(_CONV_DENOISE_BN, learning_rate=1e-3, beta1=0.9),
    ),
}
"""By name. Sizes of codes are for images of 28x28."""
