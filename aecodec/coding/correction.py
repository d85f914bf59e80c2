"""A small filter that a file brings along for its own picture: what the decoder shows, brought nearer to what the encoder saw.

One decoder serves all pictures; how sharp, how noisy, how correlated in its channels one picture is, it can't know. So the
encoder decodes, finds by least squares how each pixel follows from its neighbours in all channels, and sends the weights where
that costs less than it gains (after the adaptive loop filter of video codecs: Tsai et al., IEEE JSTSP 2013).

    x += w · d + v · (a · d)     d: for each channel and pair of opposite neighbours, their mean less the pixel
                                 a: how much goes on around the pixel, 0 in flat parts to 1

x has the C channels that are shown: 3, or 1 in gray pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..errors import FormatError
from ..format.container import Container

PAIRS = ((0, 1), (1, -1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (2, -2))
"""One of each two opposite neighbours, (rows, columns)."""
RADIUS = 2
"""Of the neighbours, and of the square in which activity is measured."""
ACTIVITY = 0.15
"""Variance at which a is one half, over that of the coding errors at this quality, which is near 1 / λ."""
PRECISIONS = range(3, 13)
"""The weights are multiples of 2^-precision."""
TYPICAL = 0.15
"""Size of the weights that are expected: larger ones must gain more."""
LONGEST = 1024
"""Bytes of the chunk."""
STRIP = 32
"""Rows that are worked on at once, so that what is made of them stays in the cache."""

Weights = npt.NDArray[np.int32]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Correction:
    """The filter of one picture of C channels.

    Args:
        weights: (2·C, 8·C), in units of 2^-precision. For each channel of the result the weights of d, then those of a·d; in
            both, channel by channel, those of PAIRS.
        precision: in PRECISIONS.
    """

    weights: Weights
    precision: int

    def to_bytes(self) -> bytes:
        """The payload of the chunk: `docs/format.md`, Correction."""
        bits = f"{self.precision:04b}"
        for group in self.weights.tolist():
            bits += min((f"{k:03b}" + "".join(_rice(value, k) for value in group) for k in range(8)), key=len)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8)

    @classmethod
    def from_bytes(cls, payload: bytes, channels: int) -> Correction:
        """The inverse of `to_bytes`, for a picture of so many channels; raises FormatError."""
        if len(payload) > LONGEST:
            raise FormatError(f"correction: {len(payload)} bytes, limit {LONGEST}")
        bits = _Bits(payload)
        precision = bits.number(4)
        if precision not in PRECISIONS:
            raise FormatError(f"correction: precision is {precision}, allowed {PRECISIONS[0]}..{PRECISIONS[-1]}")
        weights = np.zeros((2 * channels, len(PAIRS) * channels), np.int32)
        for group in weights:
            k = bits.number(3)
            group[:] = [bits.rice(k) for _ in group]
        bits.finish()
        return cls(weights, precision)

    def apply(self, x_hat: Array, lmbda: float, rows: slice, columns: slice) -> Array:
        """A part of a picture, corrected. x_hat (C, H, W), nominally in [0, 1] → (C, rows, columns)."""
        out = np.empty((len(x_hat), rows.stop - rows.start, columns.stop - columns.start), np.float32)
        for strip, center, differences, active in _strips(x_hat, lmbda, rows, columns):
            steady, moving = (self._matrix @ differences.reshape(len(differences), -1)).reshape(2, *center.shape)
            out[:, strip] = center + steady + active * moving
        return out

    def kernel(self) -> Array:
        """The weights as those of a convolution, (2·C, C, 5, 5): its first C results are w · d, the others v · d."""
        side = 2 * RADIUS + 1
        matrix = self._matrix.reshape(len(self.weights), -1, len(PAIRS))
        kernel = np.zeros((*matrix.shape[:2], side, side), np.float32)
        for p, (i, j) in enumerate(PAIRS):
            kernel[:, :, RADIUS + i, RADIUS + j] += 0.5 * matrix[:, :, p]
            kernel[:, :, RADIUS - i, RADIUS - j] += 0.5 * matrix[:, :, p]
        kernel[:, :, RADIUS, RADIUS] -= matrix.sum(2)
        return kernel

    @cached_property
    def _matrix(self) -> Array:
        """(2·C, 8·C): the weights of d for all channels, then those of a·d."""
        ordered = np.concatenate([self.weights[0::2], self.weights[1::2]])
        return (ordered * 2.0**-self.precision).astype(np.float32)


class Fit:
    """Gathers what a picture and its decoded self have to say about each other, part by part, and makes the filter of it."""

    def __init__(self, lmbda: float, channels: int) -> None:
        self.lmbda, self.channels = lmbda, channels
        features = 2 * len(PAIRS) * channels
        self._gram = np.zeros((features, features))
        self._moments = np.zeros((features, channels))

    def add(self, x_hat: Array, x: Array, rows: slice, columns: slice) -> None:
        """A part of the picture, in x_hat and x (C, H, W)."""
        for strip, center, differences, active in _strips(x_hat, self.lmbda, rows, columns):
            error = x[:, rows.start + strip.start : rows.start + strip.stop, columns] - center
            features = np.concatenate([differences, active * differences]).reshape(len(self._gram), -1)
            features = features.astype(np.float64)  # rounded, the sums of a gray picture's channels may have no Cholesky factor
            self._gram += features @ features.T
            self._moments += features @ error.reshape(self.channels, -1).T

    def solve(self, overhead: int) -> Correction | None:
        """The filter that pays best, in bits and λ·255²·MSE; None if none pays for its chunk, ``overhead`` bytes and itself."""
        weight = self.lmbda * 255**2 / self.channels
        gram, moments = weight * self._gram, weight * self._moments
        prior = np.eye(len(gram)) / (2 * np.log(2) * TYPICAL**2)  # bits of a Gaussian
        upper = np.linalg.cholesky(gram + prior).T
        aim = np.linalg.solve(upper.T, moments).astype(np.float64)
        best, least = None, 0.0
        for precision in PRECISIONS:
            w = _on_lattice(upper, aim, 2.0**-precision)
            steps = np.round(w.T * 2**precision).astype(np.int32)  # (C, 16·C)
            found = Correction(steps.reshape(2 * self.channels, -1), precision)
            size = len(found.to_bytes())
            cost = 8 * (overhead + size) + float(np.sum(w * (gram @ w - 2 * moments)))
            if cost < least and size <= LONGEST:
                best, least = found, cost
        return best


def as_shown(x: Array, gray: bool) -> Array:
    """(3, H, W) → the channels that are shown: gray is the mean, (1, H, W)."""
    shown: Array = x.mean(0, keepdims=True) if gray else x
    return shown


def _on_lattice(upper: Matrix, aim: Matrix, step: float) -> Matrix:
    """Multiples of ``step`` w (n, C) with upper·w near ``aim``, each rounded knowing the errors of those before it (Babai)."""
    w = np.zeros_like(aim)
    for j in reversed(range(len(w))):
        w[j] = np.round((aim[j] - upper[j, j + 1 :] @ w[j + 1 :]) / upper[j, j] / step) * step
    return w


def _strips(x_hat: Array, lmbda: float, rows: slice, columns: slice) -> Iterator[tuple[slice, Array, Array, Array]]:
    """Strip by strip of a part: its rows in the part, its pixels (C, h, w), d (8·C, h, w) and a (h, w)."""
    for top in range(rows.start, rows.stop, STRIP):
        bottom = min(top + STRIP, rows.stop)
        around = _window(x_hat, top, bottom, columns)
        center = _shifted(around, 0, 0)
        means = [0.5 * (_shifted(around, i, j) + _shifted(around, -i, -j)) - center for i, j in PAIRS]
        differences = np.stack(means, axis=1).reshape(-1, *center.shape[1:])
        yield slice(top - rows.start, bottom - rows.start), center, differences, _activity(around, lmbda)


def _window(x_hat: Array, top: int, bottom: int, columns: slice) -> Array:
    """Some rows and columns and RADIUS pixels around them, the edge repeated where the array ends."""
    at = np.arange(top - RADIUS, bottom + RADIUS).clip(0, x_hat.shape[1] - 1)
    left, right = columns.start - RADIUS, columns.stop + RADIUS
    inside = x_hat[:, at, max(left, 0) : right]
    return np.pad(inside, ((0, 0), (0, 0), (max(-left, 0), max(right - x_hat.shape[2], 0))), mode="edge")


def _shifted(around: Array, i: int, j: int) -> Array:
    """The pixels of a window i rows below and j columns right of those in its middle."""
    height, width = around.shape[1] - 2 * RADIUS, around.shape[2] - 2 * RADIUS
    return around[:, RADIUS + i : RADIUS + i + height, RADIUS + j : RADIUS + j + width]


def half_activity(lmbda: float) -> float:
    """The variance at which a is one half."""
    return ACTIVITY / (lmbda * 255**2)


def _activity(around: Array, lmbda: float) -> Array:
    """v / (v + ACTIVITY / λ) of the variance v of the brightness in the square around each pixel, (h, w) of a window."""
    brightness = around.mean(0) - np.float32(0.5)
    mean, square = _box(brightness), _box(brightness * brightness)
    variance = np.maximum(square - mean * mean, 0)
    return np.divide(variance, variance + np.float32(half_activity(lmbda)), dtype=np.float32)


def _box(plane: Array) -> Array:
    """Means over squares of 2·RADIUS + 1 pixels, (h + 2·RADIUS, w + 2·RADIUS) → (h, w)."""
    side = 2 * RADIUS + 1
    height, width = plane.shape[0] - side + 1, plane.shape[1] - side + 1
    rows = sum((plane[i : i + height] for i in range(1, side)), plane[:height])
    total = sum((rows[:, j : j + width] for j in range(1, side)), rows[:, :width])
    return total * np.float32(1 / side**2)


def _rice(value: int, k: int) -> str:
    """Rice code of order k of 0, -1, 1, -2 ..., numbered 0, 1, 2, 3 ...: ones for n >> k, a zero, the k last bits of n."""
    n = 2 * value if value >= 0 else -2 * value - 1
    return "1" * (n >> k) + "0" + (f"{n & (1 << k) - 1:0{k}b}" if k else "")


class _Bits:
    """Reads what `to_bytes` writes, highest bits first; raises FormatError."""

    def __init__(self, payload: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in payload)
        self._at = 0

    def number(self, length: int) -> int:
        """An unsigned number of so many bits."""
        self._at += length
        if self._at > len(self._bits):
            raise FormatError("correction: the chunk ends inside it")
        return int("0" + self._bits[self._at - length : self._at], 2)

    def rice(self, k: int) -> int:
        """The inverse of `_rice`."""
        zero = self._bits.find("0", self._at)
        high = zero - self._at
        if zero < 0:
            raise FormatError("correction: the chunk ends inside it")
        self._at = zero + 1
        n = high << k | self.number(k)
        return -(n + 1) // 2 if n & 1 else n // 2

    def finish(self) -> None:
        """Nothing but zeros may be left, and less than a byte."""
        rest = self._bits[self._at :]
        if len(rest) > 7 or "1" in rest:
            raise FormatError("correction: bits are left over")


def correction_of(content: Container, allow_partial: bool) -> tuple[Correction | None, list[str]]:
    """The correction of a file, None where it has none, and what there is to say of it; raises FormatError."""
    if content.correction is None:
        return None, []
    try:
        return Correction.from_bytes(content.correction, channels=1 if content.header.mode.startswith("L") else 3), []
    except FormatError:
        if not allow_partial:
            raise
        return None, ["the correction is damaged, colors and edges are not quite right"]
