"""How the encoder rounds residuals: to the nearest integer, or one step nearer to zero where the bits saved are worth the error.

The latent is scaled so that its quantization step is 1 at every quality, and in these units a squared error costs about the same
everywhere: between 4 and 9 bits of λ·255²·MSE per squared step, channel by channel (measured; high-rate theory says
6 / (2·ln 2) = 4.3 to 8.7). More weight than that pays, because a wrong value also misleads the contexts that see it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .entropy.tables import TOTAL, Tables
from .model.scales import INDEXES

WEIGHT = 40.0
"""Bits that one squared step of error counts for. On Kodak 30 and 60 are as good, 20 and no such rounding 0.4 and 0.7 % worse."""
LARGEST = 15
"""Larger residuals are rounded as this one is."""


class Rounding:
    """Rate–distortion optimized rounding under one model's tables."""

    def __init__(self, tables: Tables, weight: float = WEIGHT) -> None:
        self._thresholds = np.full((INDEXES, LARGEST + 1), -0.5, np.float32)
        for index, frequencies in enumerate(tables.residual, 1):
            half = len(frequencies) // 2 - 1
            end = 1 + min(half, LARGEST)
            sides = frequencies[half:][:end], frequencies[half::-1][:end]  # of 0, 1, 2 ... and of 0, -1, -2 ...
            saved = np.min([-np.diff(np.log2(side / TOTAL)) for side in sides], axis=0)  # frequencies may differ by one
            self._thresholds[index, 1:end] += np.maximum(saved, 0) / (2 * weight)

    def round(self, values: npt.NDArray[np.float32], indexes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Residuals before rounding (n,) and their scale indexes (n,) → integers (n,); zero where the index is 0."""
        nearest = np.floor(values + np.float32(0.5))
        size = np.abs(nearest)
        beyond = np.abs(values) - size  # how much farther from zero than the integer, -0.5..0.5
        threshold = self._thresholds[indexes, np.minimum(size, LARGEST).astype(np.intp)]
        rounded = np.where(beyond < threshold, nearest - np.sign(nearest), nearest)
        return np.where(indexes > 0, rounded, 0).astype(np.int32)
