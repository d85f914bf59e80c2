"""The integer scale path: scale indexes 0..63 for the entropy coder, from integers alone. NORMATIVE.

    ẑ ─ conv3×3 ─ 1×1 ─ shuffle ─ conv3×3 ─ 1×1 ─ shuffle ─┬─ 1×1 ──────────────── + offset(level) → index of step 0
                                                          │
    |k| so far, ≤ 15 ─ 1×1 ─ depth-wise 3×3 ───────────────┴─ 1×1 of both ─ + offset(level) → index of steps 1..3

Integer formats. Weights are int8 with a shift per output channel (a step of 2^-shift), hidden activations are integers
0..127 in units of 1/16, results are in 1/16 of a scale index. A layer is ``rshift(W·a + b, shift)``, rounded half up, clamped.

Why it is exact on every machine: sums run as float32 *matrix products* of integers whose partial sums all stay below 2^24
(checked for each output channel when the weights are loaded), so any order of summation, any number of threads and any BLAS
gives the same integers. No convolution routine is involved: those may transform their inputs (Winograd, FFT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..entropy.alphabet import INDEXES, Z_MAX
from ..errors import ModelError
from .masks import step_parts
from .quality import interpolate_int

ACTIVATION_MAX = 127
ACTIVATION_STEPS = 16
SYMBOL_MAX = 15
"""The size of symbols is clamped to this before they enter the network."""
EXACT_BELOW = 1 << 24
"""Integers below this are exact in float32."""

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class IntegerLayer:
    """One layer: ``weight`` (O, K) holding int8 values, ``bias`` (O, 1) holding integers, both float32; ``shift`` (O, 1)."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    shift: Integers

    @classmethod
    def load(cls, tensors: Mapping[str, npt.NDArray[np.generic]], name: str, input_max: int) -> IntegerLayer:
        """The layer called ``name``; raises ModelError if a sum could leave the range where float32 is exact."""
        weight = tensors[f"{name}.weight"].astype(np.float32)
        bias = tensors[f"{name}.bias"].astype(np.float32)[:, None]
        bound = input_max * np.abs(weight).sum(1) + np.abs(bias[:, 0])
        if bound.max() >= EXACT_BELOW:
            raise ModelError(f"scale path: {name} sums up to {bound.max():.0f}, limit {EXACT_BELOW}")
        shift = tensors[f"{name}.shift"].astype(np.int32)[:, None]
        if shift.min() < 1 or shift.max() > 23:
            raise ModelError(f"scale path: {name} shifts by {shift.min()}..{shift.max()}, allowed 1..23")
        return cls(weight, bias, shift)

    def __call__(self, a: npt.NDArray[np.float32], outputs: slice = slice(None)) -> Integers:
        """Columns a (K, P) of integers → (O, P), or some of the outputs, shifted right with rounding, not clamped."""
        acc = (self.weight[outputs] @ a + self.bias[outputs]).astype(np.int32)
        shift = self.shift[outputs]
        return (acc + (1 << (shift - 1))) >> shift


class ScalePath:
    """The integer network, loaded from the tensors ``scales.*`` of a weights file. Holds no state between images."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]], steps: int) -> None:
        def layer(name: str, input_max: int) -> IntegerLayer:
            return IntegerLayer.load(tensors, f"scales.{name}", input_max)

        self.trunk = [layer("trunk0", Z_MAX), *(layer(f"trunk{i}", ACTIVATION_MAX) for i in (1, 2, 3))]
        self.reduce = [layer(f"reduce{k}", SYMBOL_MAX) for k in range(1, steps)]
        self.spread = [layer(f"spread{k}", ACTIVATION_MAX) for k in range(1, steps)]
        self.out = [layer(f"out{k}", ACTIVATION_MAX) for k in range(steps)]
        self.offset = tensors["scales.offset"].astype(np.int32)  # (NODES, M), 1/16 of an index

    @property
    def channels(self) -> int:
        """Latent channels, M."""
        return int(self.offset.shape[1])

    def features(self, z_hat: Integers, height: int, width: int) -> npt.NDArray[np.float32]:
        """ẑ (nz, h, w) → features (C, height, width), integers 0..127; h and w are height and width over 4, rounded up."""
        a = z_hat.astype(np.float32)
        for conv, expand in (self.trunk[:2], self.trunk[2:]):
            shape = a.shape[1:]
            a = _activate(conv(_neighbours(a))).reshape(-1, *shape)
            a = _activate(expand(a.reshape(len(a), -1))).reshape(-1, *shape)
            a = _pixel_shuffle(a)
        return np.ascontiguousarray(a[:, :height, :width])

    def index(self, step: int, features: npt.NDArray[np.float32], symbols: Integers | None, level: int) -> npt.NDArray[np.uint8]:
        """Scale indexes (n,) of a step's symbols, in their order.

        ``symbols`` (M, H, W) are those of the steps before, zero elsewhere (None at step 0).
        """
        a = features
        if symbols is not None:
            magnitude = np.minimum(np.abs(symbols), SYMBOL_MAX).astype(np.float32)
            h = self.reduce[step - 1](magnitude.reshape(len(magnitude), -1))
            h = np.clip(h, -ACTIVATION_MAX, ACTIVATION_MAX)
            h = _depthwise(self.spread[step - 1], h.reshape(-1, *features.shape[1:]))
            a = np.concatenate([_activate(h), a])
        offset = interpolate_int(self.offset, level)[:, None]
        indexes = []
        for channels, rows, columns in step_parts(self.channels, step):
            seen = a[:, rows, columns].reshape(len(a), -1)
            sixteenths = self.out[step](seen, channels) + offset[channels]
            rounded = (sixteenths + ACTIVATION_STEPS // 2) // ACTIVATION_STEPS
            indexes.append(np.clip(rounded, 0, INDEXES - 1).astype(np.uint8).ravel())
        return np.concatenate(indexes)


def _activate(h: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    return np.clip(h, 0, ACTIVATION_MAX).astype(np.float32)


def _neighbours(a: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The 3×3 neighbourhoods of (C, H, W), zero outside, as columns (C·9, H·W) in the order of a convolution's weights."""
    c, h, w = a.shape
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)]
    return np.stack(shifted, 1).reshape(c * 9, h * w)


def _depthwise(layer: IntegerLayer, a: Integers) -> Integers:
    """A depth-wise 3×3 layer, ``weight`` (C, 9), on (C, H, W), zero outside; sums in int32."""
    _, h, w = a.shape
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1)))
    acc = np.broadcast_to(layer.bias.astype(np.int32)[:, :, None], a.shape).copy()
    taps = layer.weight.astype(np.int32)
    for i in range(9):
        acc += taps[:, i, None, None] * padded[:, i // 3 : i // 3 + h, i % 3 : i % 3 + w]
    shift = layer.shift[:, :, None]
    return (acc + (1 << (shift - 1))) >> shift


def _pixel_shuffle(a: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(4·C, H, W) → (C, 2·H, 2·W), in torch's order."""
    c, h, w = a.shape
    return a.reshape(c // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)
