"""Integer frequency tables: what the entropy coder knows of the symbols. NORMATIVE.

Frequencies are integers of at least 1 that sum to 2^16. ẑ has a table per channel over -Z_MAX..Z_MAX. The symbol of a residual
has one of TABLES tables, chosen by its scale index and quantiser (`trellis.py`): values -half..half, then an escape symbol for
everything outside. Index 0 has no table: such symbols are zero and not coded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, erf, exp, sqrt

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from .alphabet import INDEX_STEP, INDEXES, SCALE_MIN, Z_MAX
from .trellis import FIRST_DEPENDENT, TABLES, residuals_of

TOTAL = 1 << 16
MAX_HALF = 255

Frequencies = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """``hyper`` (nz, 2·Z_MAX+1); ``residual`` TABLES rows (2·half+2,), the last entry the escape."""

    hyper: Frequencies
    residual: tuple[Frequencies, ...]

    @classmethod
    def load(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Tables:
        """From the tensors ``tables.*`` of a weights file; raises ModelError if a table breaks the rules above."""
        hyper = tensors["tables.hyper"].astype(np.int64)
        halves = tensors["tables.half"].astype(np.int64)
        flat = tensors["tables.residual"].astype(np.int64)
        ends = np.cumsum(2 * halves + 2)
        if len(halves) != TABLES:
            raise ModelError(f"tables: {len(halves)} of residuals, must be {TABLES}; those of other formats can't be used")
        if hyper.shape[1] != 2 * Z_MAX + 1 or ends[-1] != len(flat):
            raise ModelError("tables: shapes do not fit")
        tables = cls(hyper, tuple(np.split(flat, ends[:-1])))
        for row in (*hyper, *tables.residual):
            if row.min() < 1 or row.sum() != TOTAL:
                raise ModelError(f"tables: a row sums to {row.sum()} with minimum {row.min()}, must be {TOTAL} and at least 1")
        return tables

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """The inverse of `load`."""
        return {
            "tables.hyper": self.hyper.astype(np.uint16),
            "tables.half": np.array([len(row) // 2 - 1 for row in self.residual], np.uint16),
            "tables.residual": np.concatenate(self.residual).astype(np.uint16),
        }


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


def fit(hyper_pmf: npt.NDArray[np.float64], counts: Mapping[int, npt.NDArray[np.int64]], prior: float = 500.0) -> Tables:
    """Tables from p(ẑ) (nz, 2·Z_MAX+1) and counts of real symbols: ``counts[table]`` (2·32767+1,) of values -32767..32767.

    Counts are made symmetric and smoothed with ``prior`` symbols drawn from the Gaussian of the table.
    """
    residual = []
    for table in range(TABLES):
        weights = gaussian_weights(table)
        half = len(weights) // 2 - 1
        smooth = weights / weights.sum() * prior
        if table in counts:
            seen = counts[table]
            middle = len(seen) // 2
            inside = seen[middle - half : middle + half + 1]
            smooth[:-1] += (inside + inside[::-1]) / 2
            smooth[-1] += seen.sum() - inside.sum()
        residual.append(to_frequencies(smooth))
    return Tables(np.stack([to_frequencies(row) for row in hyper_pmf]), tuple(residual))
