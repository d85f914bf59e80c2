"""The networks of the presets: an encoder to the code and its mirror back, for gray or RGB images of any size.

    dense        linear layers with ReLU
    pooled       3×3 convolution, ReLU, max-pooling by 2 each; back: convolution, ReLU, twice the size each, a last convolution
    resized      the same encoder; back: nearest-neighbour resize to the size before each pooling, then convolution, ReLU
    normalized   3×3 convolutions with batch normalization and leaky ReLU, unpadded from the second on, pooling between them;
                 back: transposed convolutions

Decoders end in logits, so that binary cross-entropy is computed without overflow; `Autoencoder.decode` applies the sigmoid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .presets import Architecture

Shape = tuple[int, int, int]
"""Channels, height, width of the images."""

LEAK = 0.2


class Autoencoder(nn.Module):
    """An encoder and a decoder. Images are (B, C, H, W) float32 in [0, 1], codes (B, units) or (B, channels, h, w)."""

    def __init__(self, architecture: Architecture, shape: Shape) -> None:
        super().__init__()
        self.architecture, self.shape = architecture, shape
        self.encoder, self.decoder = BUILDERS[architecture.kind](architecture, shape)
        _initialize(self, architecture.he)
        self.code_shape = self._code_shape()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images → logits of the reconstruction (B, C, H, W), and the code."""
        code = self.encoder(x)
        return self.decoder(code), code

    def decode(self, code: Tensor) -> Tensor:
        """Code → images in [0, 1]."""
        return torch.sigmoid(self.decoder(code))

    @torch.no_grad()
    def _code_shape(self) -> tuple[int, ...]:
        """Try the networks on one image; raises UsageError if it doesn't come back in its own size."""
        _, height, width = self.shape
        self.eval()
        try:
            logits, code = self(torch.zeros(1, *self.shape))
            fits = logits.shape[1:] == self.shape
        except RuntimeError:  # nothing left to pool or to convolve
            fits = False
        self.train()
        if not fits:
            multiple = 2 ** len(self.architecture.nodes)
            raise UsageError(
                f"images of {width}x{height} do not pass this autoencoder and come back in their size; "
                f"it takes multiples of {multiple} from about {7 * multiple} on"
            )
        return tuple(code.shape[1:])


def dense(architecture: Architecture, shape: Shape) -> tuple[nn.Sequential, nn.Sequential]:
    """Linear layers to the code and back."""
    widths = [math.prod(shape), *architecture.nodes, architecture.code]
    encoder: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        encoder += [nn.Linear(inputs, outputs), nn.ReLU()]
    decoder: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[::-1]):
        decoder += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*encoder), nn.Sequential(*decoder[:-1], nn.Unflatten(1, shape))


def pooled(architecture: Architecture, shape: Shape) -> tuple[nn.Sequential, nn.Sequential]:
    """Back by doubling.

    Where rounded-up halves add up to 4 pixels too many (28 → 14 → 7 → 4 → 32), the convolution before the last doubling is
    unpadded, as in the source; whatever else is too many is cut off.
    """
    widths = [shape[0], *architecture.nodes, architecture.code]
    stages = len(widths) - 1
    spare = min(-extent % 2**stages for extent in shape[1:])
    decoder: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise([architecture.code, *widths[:0:-1]]), 1):
        padding = 0 if stage == stages and spare >= 4 else 1
        decoder += [nn.Conv2d(inputs, outputs, 3, padding=padding), nn.ReLU(), nn.Upsample(scale_factor=2)]
    return _pooled_encoder(widths), nn.Sequential(*decoder, nn.Conv2d(widths[1], shape[0], 3, padding=1), Cut(*shape[1:]))


def resized(architecture: Architecture, shape: Shape) -> tuple[nn.Sequential, nn.Sequential]:
    """Back by resizing to the sizes that the encoder went through (28 → 14 → 7 → 4)."""
    widths = [shape[0], *architecture.nodes, architecture.code]
    decoder: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise([architecture.code, *widths[:0:-1]]), 1):
        halvings = len(widths) - 1 - stage
        size = tuple(-(-extent // 2**halvings) for extent in shape[1:])
        decoder += [nn.Upsample(size), nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return _pooled_encoder(widths), nn.Sequential(*decoder, nn.Conv2d(widths[1], shape[0], 3, padding=1))


def normalized(architecture: Architecture, shape: Shape) -> tuple[nn.Sequential, nn.Sequential]:
    """Convolutions with batch normalization; 28 → 14 → 12 → 6 → 4 and back."""
    widths = [shape[0], *architecture.nodes, architecture.code]
    encoder: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise(widths)):
        pool = [nn.MaxPool2d(2)] if stage else []
        encoder += [*pool, nn.Conv2d(inputs, outputs, 3, padding=0 if stage else 1), *_norm(outputs)]
    decoder: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[:0:-1]):
        decoder += [nn.ConvTranspose2d(inputs, outputs, 3), *_norm(outputs), nn.Upsample(scale_factor=2)]
    decoder += [nn.ConvTranspose2d(widths[1], shape[0], 3, padding=1), *_norm(shape[0])]
    return nn.Sequential(*encoder), nn.Sequential(*decoder, nn.ConvTranspose2d(shape[0], shape[0], 3, padding=1))


BUILDERS = {"dense": dense, "pooled": pooled, "resized": resized, "normalized": normalized}


class Cut(nn.Module):
    """The upper left corner of (B, C, H, W)."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, height, width)."""
        return x[:, :, : self.height, : self.width]


def _pooled_encoder(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(*layers)


def _norm(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01), nn.LeakyReLU(LEAK)]


def _initialize(model: nn.Module, he: bool) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if he:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
