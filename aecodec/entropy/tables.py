"""Integer frequency tables: what the entropy coder knows of the symbols. NORMATIVE.

Frequencies are integers of at least 1 that sum to 2^16, of the values -half..half and, last, of an escape symbol for everything
outside. The symbol of a residual has one of TABLES tables, chosen by its scale index and quantiser (`trellis.py`); index 0 has
none: such symbols are zero and not coded. That of ẑ has one of HYPER_TABLES, by its scale index and the fraction of its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, erf, exp, sqrt

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from .alphabet import (
    HYPER_INDEX_STEP,
    HYPER_SCALE_MIN,
    HYPER_TABLES,
    INDEX_STEP,
    INDEXES,
    MEAN_STEPS,
    SCALE_MIN,
)
from .trellis import FIRST_DEPENDENT, TABLES, residuals_of

TOTAL = 1 << 16
MAX_HALF = 255

Frequencies = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """``residual`` TABLES and ``hyper`` HYPER_TABLES rows (2·half+2,), the last entry the escape."""

    residual: tuple[Frequencies, ...]
    hyper: tuple[Frequencies, ...]

    @property
    def rows(self) -> tuple[Frequencies, ...]:
        """All of them, as the coder numbers them: those of ẑ from TABLES on."""
        return self.residual + self.hyper

    @classmethod
    def load(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Tables:
        """From the tensors ``tables.*`` of a weights file; raises ModelError if a table breaks the rules above."""
        return cls(_load(tensors, "residual", TABLES), _load(tensors, "hyper", HYPER_TABLES))

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """The inverse of `load`."""
        tensors: dict[str, npt.NDArray[np.generic]] = {}
        for name, rows in (("residual", self.residual), ("hyper", self.hyper)):
            tensors[f"tables.{name}"] = np.concatenate(rows).astype(np.uint16)
            tensors[f"tables.{name}.half"] = np.array([len(row) // 2 - 1 for row in rows], np.uint16)
        return tensors


def _load(tensors: Mapping[str, npt.NDArray[np.generic]], name: str, count: int) -> tuple[Frequencies, ...]:
    halves = tensors[f"tables.{name}.half"].astype(np.int64)
    flat = tensors[f"tables.{name}"].astype(np.int64)
    ends = np.cumsum(2 * halves + 2)
    if len(halves) != count:
        raise ModelError(f"tables.{name}: there are {len(halves)}, must be {count}; those of other formats can't be used")
    if ends[-1] != len(flat):
        raise ModelError(f"tables.{name}: shapes do not fit")
    rows = np.split(flat, ends[:-1])
    for row in rows:
        if row.min() < 1 or row.sum() != TOTAL:
            raise ModelError(f"tables.{name}: a row sums to {row.sum()} with minimum {row.min()}, must be {TOTAL} and at least 1")
    return tuple(rows)


def to_frequencies(weights: npt.NDArray[np.float64]) -> Frequencies:
    """Integers of at least 1 that sum to TOTAL, nearest to the proportions of ``weights`` (n,), in the sense of bits lost."""
    share = weights / weights.sum() * (TOTAL - len(weights))
    frequencies: Frequencies = 1 + np.floor(share).astype(np.int64)
    missing = TOTAL - int(frequencies.sum())
    frequencies[np.argsort(np.floor(share) - share, kind="stable")[:missing]] += 1
    return frequencies


def gaussian_weights(table: int) -> npt.NDArray[np.float64]:
    """Probabilities of a residual table before any real symbol has been seen: a Gaussian with slightly heavier tails."""
    shifted = table >= INDEXES - 1
    index = table - (INDEXES - 1) + FIRST_DEPENDENT if shifted else table + 1
    sigma = SCALE_MIN * exp(index * INDEX_STEP)
    half = int(min(max(2, ceil(6 * sigma)), MAX_HALF))
    values = residuals_of(np.arange(-half - 1, half + 2, dtype=np.int32), int(shifted)).astype(np.float64)
    edges = np.array([erf(edge / sigma / sqrt(2)) for edge in (values[1:] + values[:-1]) / 2])
    inside = np.maximum(np.diff(edges) / 2, 0)
    return np.append(inside + 1e-6, 1e-6)


def logistic_weights(table: int) -> npt.NDArray[np.float64]:
    """Probabilities of a table of ẑ before any real symbol has been seen: a logistic distribution with slightly heavier tails."""
    index, fraction = divmod(table, MEAN_STEPS)
    scale, mean = HYPER_SCALE_MIN * exp(index * HYPER_INDEX_STEP), fraction / MEAN_STEPS - 0.5
    half = min(ceil(2 + 10 * scale), MAX_HALF)
    edges = (np.arange(-half, half + 2) - 0.5 - mean) / scale
    inside = np.diff(0.5 * np.tanh(edges / 2))
    return np.append(inside + 1e-6, 1e-6)


Counts = npt.NDArray[np.int64]
"""How often each table had which value, (tables, 2·n+1), -n..n with n > MAX_HALF, the outermost standing for all beyond."""


def fit(residual: Counts, hyper: Counts, prior: float = 500.0) -> Tables:
    """Tables from counts of real symbols, smoothed with ``prior`` symbols drawn from the distribution a table begins with.

    The distributions of residuals are symmetric.
    """
    return Tables(
        tuple(_fitted(gaussian_weights(i), seen + seen[::-1], 2 * prior) for i, seen in enumerate(residual)),
        tuple(_fitted(logistic_weights(i), seen, prior) for i, seen in enumerate(hyper)),
    )


def no_counts() -> tuple[Counts, Counts]:
    """Those of residuals and of ẑ before any symbol has been seen."""
    residual, hyper = (np.zeros((count, 2 * MAX_HALF + 3), np.int64) for count in (TABLES, HYPER_TABLES))
    return residual, hyper


def _fitted(weights: npt.NDArray[np.float64], seen: npt.NDArray[np.int64], prior: float) -> Frequencies:
    half, middle = len(weights) // 2 - 1, len(seen) // 2
    inside = seen[middle - half : middle + half + 1]
    smooth = weights / weights.sum() * prior
    smooth[:-1] += inside
    smooth[-1] += seen.sum() - inside.sum()
    return to_frequencies(smooth)
