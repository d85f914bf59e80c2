"""Codes as integers with their frequencies: how a code is quantised and what the entropy coder is told of it.

    s = round(code / step) - offset, in 0..126          the grid, fine: quality 100
    t = (s + d//2) // d                                 what is coded, with the divisor d of the quality; s ≈ t·d

One step for all channels, so that a channel that hardly varies takes hardly any bits. How often each s occurs in each channel is
counted once, at the end of training; the tables of all qualities are sums of these counts, made in integers, so that they are the
same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..entropy.tables import TOTAL, Frequencies
from ..errors import ModelError

VALUES = 127
"""Of the finest grid, for each channel."""

COARSEST = 64
"""The divisor of quality 0, which leaves two or three values."""

QUALITIES = 101

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class CodeGrid:
    """The grid of one model's code."""

    step: float
    offset: npt.NDArray[np.int32]
    """(C,): the smallest value of each channel, in steps"""
    counts: npt.NDArray[np.int64]
    """(C, 127)"""
    divisors: npt.NDArray[np.int64]
    """(101,): d of each whole quality"""

    @classmethod
    def fit(cls, codes: Floats) -> CodeGrid:
        """From the codes of many images, (N, units) or (N, channels, h, w)."""
        channels = np.moveaxis(codes.reshape(*codes.shape[:2], -1), 1, 0).reshape(codes.shape[1], -1)
        low, high = channels.min(1), channels.max(1)
        step = float(np.float32(max((high - low).max() / (VALUES - 2), 1e-6)))
        offset = np.round(low / step).astype(np.int32)
        divisors = np.round(COARSEST ** (1 - np.arange(QUALITIES) / (QUALITIES - 1))).astype(np.int64)
        grid = cls(step, offset, np.zeros((len(channels), VALUES), np.int64), divisors)
        symbols = grid.quantise(channels, 100)
        counts = np.stack([np.bincount(row, minlength=VALUES) for row in symbols])
        return cls(step, offset, counts, divisors)

    @classmethod
    def load(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> CodeGrid:
        """The inverse of `tensors`; raises KeyError, ModelError."""
        offset, counts, divisors = (tensors[f"code.{name}"].astype(np.int64) for name in ("offset", "counts", "divisors"))
        step = float(tensors["code.step"].astype(np.float64).item())
        if offset.ndim != 1 or counts.shape != (len(offset), VALUES) or divisors.shape != (QUALITIES,):
            raise ModelError("code: shapes do not fit")
        if counts.sum(1).min() < 1 or divisors.min() < 1 or divisors.max() > COARSEST or not 0 < step < np.inf:
            raise ModelError("code: counts, divisors or step are out of range")
        return cls(step, offset.astype(np.int32), counts, divisors)

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """For the model's file."""
        return {
            "code.step": np.array([self.step], np.float32),
            "code.offset": self.offset.astype(np.int32),
            "code.counts": self.counts.astype(np.uint32),
            "code.divisors": self.divisors.astype(np.uint8),
        }

    def quantise(self, code: Floats, quality: int) -> Integers:
        """A code (C, n) → symbols (C, n) from 0 on, at a whole quality 0..100. What the grid doesn't reach is clipped."""
        divisor = self.divisors[quality]
        fine = np.clip(np.round(code / np.float32(self.step)) - self.offset[:, None], 0, VALUES - 1).astype(np.int64)
        symbols: Integers = ((fine + divisor // 2) // divisor).astype(np.int32)
        return symbols

    def dequantise(self, symbols: Integers, quality: int) -> Floats:
        """Symbols (C, n) → code (C, n)."""
        fine = symbols * self.divisors[quality] + self.offset[:, None]
        code: Floats = fine.astype(np.float32) * np.float32(self.step)
        return code

    def tables(self, quality: int) -> Frequencies:
        """Frequencies (C, n) of the symbols of each channel, in exact integers: every symbol once, the rest as counted."""
        merged = (np.arange(VALUES) + self.divisors[quality] // 2) // self.divisors[quality]
        starts = np.searchsorted(merged, np.arange(merged[-1] + 1))
        counts = np.add.reduceat(self.counts, starts, axis=1)
        frequencies: Frequencies = 1 + counts * (TOTAL - counts.shape[1]) // counts.sum(1, keepdims=True)
        frequencies[np.arange(len(counts)), counts.argmax(1)] += TOTAL - frequencies.sum(1)
        return frequencies
