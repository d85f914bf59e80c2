"""The integer scale path: scale indexes 0..63 for the entropy coder, from integers alone. NORMATIVE.

    ẑ ─ conv3×3 ─ 1×1 ─ shuffle ─ conv3×3 ─ 1×1 ─ shuffle ─┬─ 1×1 ──────────────── + offset(level) → index of step 0
                                                          │
    |k| so far, ≤ 15 ─ 1×1 ─ depth-wise 3×3 ───────────────┴─ 1×1 of both ─ + offset(level) → index of steps 1..3

Its layers, and why they are exact on every machine: `integers.py`. Results are in 1/16 of a scale index.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..entropy.alphabet import INDEXES, Z_MAX
from .integers import ACTIVATION_MAX, ACTIVATION_STEPS, IntegerLayer, Integers, activated, neighbours
from .quality import interpolate_int
from .steps import step_parts

SYMBOL_MAX = 15
"""The size of symbols is clamped to this before they enter the network."""


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
            a = activated(conv(neighbours(a))).reshape(-1, *shape)
            a = activated(expand(a.reshape(len(a), -1))).reshape(-1, *shape)
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
            a = np.concatenate([activated(h), a])
        offset = interpolate_int(self.offset, level)[:, None]
        indexes = []
        for channels, rows, columns in step_parts(self.channels, step):
            seen = a[:, rows, columns].reshape(len(a), -1)
            sixteenths = self.out[step](seen, channels) + offset[channels]
            rounded = (sixteenths + ACTIVATION_STEPS // 2) // ACTIVATION_STEPS
            indexes.append(np.clip(rounded, 0, INDEXES - 1).astype(np.uint8).ravel())
        return np.concatenate(indexes)


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
