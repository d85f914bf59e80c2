"""Bjøntegaard deltas: how many more bytes, in percent, at equal quality; how much more quality at equal bytes.

By the package `bjontegaard`: piecewise cubic (PCHIP) interpolation, integrated over the range that both curves cover, and only
for curves of at least five points. Each delta carries its range: one over a sliver of the curve says little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .optional import need

MIN_POINTS = 5
Line = npt.NDArray[np.float64]
"""A curve, (points, 2): bits per pixel and quality, both rising."""


@dataclass(frozen=True)
class Delta:
    """A curve against an anchor."""

    rate: float  # percent more bytes at equal quality: negative is smaller
    value: float  # more quality at equal bytes, in the metric's unit
    low: float  # the common range of the metric
    high: float


def line(rates: Sequence[float], values: Sequence[float]) -> Line:
    """Points sorted by rate, without those that cost more and are no better."""
    points = np.array(sorted(zip(rates, values, strict=True)), np.float64).reshape(-1, 2)
    best = np.maximum.accumulate(points[:, 1]) if len(points) else points[:, 1]
    rising = np.concatenate([[True], (np.diff(best) > 0) & (np.diff(points[:, 0]) > 0)])[: len(points)]
    kept: Line = points[rising]
    return kept


def delta(anchor: Line, test: Line) -> Delta | None:
    """BD-rate and BD-value of ``test`` against ``anchor``; None with too few points or without a common range."""
    if min(len(anchor), len(test)) < MIN_POINTS:
        return None
    low, high = max(anchor[0, 1], test[0, 1]), min(anchor[-1, 1], test[-1, 1])
    if low >= high or max(anchor[0, 0], test[0, 0]) >= min(anchor[-1, 0], test[-1, 0]):
        return None
    bjontegaard = need("bjontegaard")
    curves = (anchor[:, 0], anchor[:, 1], test[:, 0], test[:, 1])
    rate = bjontegaard.bd_rate(*curves, method="pchip", require_matching_points=False, min_overlap=0)
    value = bjontegaard.bd_psnr(*curves, method="pchip", require_matching_points=False, min_overlap=0)
    return Delta(float(rate), float(value), float(low), float(high))


def table(lines: Mapping[str, Line]) -> dict[str, dict[str, Delta]]:
    """Deltas of all pairs that have one: ``table[anchor][test]``."""
    pairs = {anchor: {test: delta(lines[anchor], lines[test]) for test in lines} for anchor in lines}
    return {anchor: {test: d for test, d in tests.items() if d} for anchor, tests in pairs.items()}


def value_at(curve: Line, rate: float) -> float | None:
    """The quality at a rate, by PCHIP over the logarithm of the rate; None outside the curve."""
    if len(curve) < 2 or not curve[0, 0] <= rate <= curve[-1, 0]:
        return None
    pchip = need("scipy.interpolate").PchipInterpolator
    return float(pchip(np.log(curve[:, 0]), curve[:, 1])(np.log(rate)))
