"""Layers that compute in integers alone, for what must be the same on every machine. NORMATIVE.

Weights are int8 with a shift per output channel (a step of 2^-shift), hidden activations are integers 0..127 in units of 1/16,
results are in 1/16, too. A layer is ``rshift(W·a + b, shift)``, rounded half up, clamped.

Why it is exact on every machine: sums run as float32 *matrix products* of integers whose partial sums all stay below 2^24
(checked for each output channel when the weights are loaded), so any order of summation, any number of threads and any BLAS
gives the same integers. No convolution routine is involved: those may transform their inputs (Winograd, FFT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

ACTIVATION_MAX = 127
ACTIVATION_STEPS = 16
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
            raise ModelError(f"{name} sums up to {bound.max():.0f}, limit {EXACT_BELOW}")
        shift = tensors[f"{name}.shift"].astype(np.int32)[:, None]
        if shift.min() < 1 or shift.max() > 23:
            raise ModelError(f"{name} shifts by {shift.min()}..{shift.max()}, allowed 1..23")
        return cls(weight, bias, shift)

    def __call__(self, a: npt.NDArray[np.float32], outputs: slice = slice(None)) -> Integers:
        """Columns a (K, P) of integers → (O, P), or some of the outputs, shifted right with rounding, not clamped."""
        acc = (self.weight[outputs] @ a + self.bias[outputs]).astype(np.int32)
        shift = self.shift[outputs]
        return (acc + (1 << (shift - 1))) >> shift


def activated(h: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Results as the activations of the next layer."""
    return np.clip(h, 0, ACTIVATION_MAX).astype(np.float32)


def neighbours(a: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The 3×3 neighbourhoods of (C, H, W), zero outside, as columns (C·9, H·W) in the order of a convolution's weights."""
    c, h, w = a.shape
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)]
    return np.stack(shifted, 1).reshape(c * 9, h * w)
