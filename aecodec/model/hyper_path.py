"""What to expect of ẑ, from integers alone: a table for each of its symbols. NORMATIVE.

    ẑ so far ─ conv3×3 ─ 1×1 ─ + offset(step, level) → mean, scale index        (step 0: the offset alone)

ẑ is coded in the same four steps as the latent (`steps.py`). What is coded of an element is its distance from the mean, rounded;
the fraction that rounding leaves and the scale index say from which table. Layers, and why they are exact: `integers.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..entropy.alphabet import HYPER_INDEXES, MEAN_STEPS, Z_MAX
from .integers import ACTIVATION_MAX, ACTIVATION_STEPS, IntegerLayer, Integers, activated, neighbours
from .quality import interpolate_int
from .steps import STEPS, Part, gather, scatter, step_parts


class Expected(NamedTuple):
    """Of the elements (n,) of a step, in their order."""

    whole: Integers
    """the mean, rounded"""
    table: Integers
    """which of HYPER_TABLES the distance from it has"""


Take = Callable[[tuple[Part, ...], Expected], Integers]
"""(where the elements of a step are, what to expect of them) → what they are, (n,)."""


class HyperPath:
    """The integer network, loaded from the tensors ``hyper.*`` of a weights file. Holds no state between images."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        later = range(1, STEPS)
        self.look = [IntegerLayer.load(tensors, f"hyper.look{k}", Z_MAX) for k in later]
        self.out = [IntegerLayer.load(tensors, f"hyper.out{k}", ACTIVATION_MAX) for k in later]
        self.offset = tensors["hyper.offset"].astype(np.int32)  # (STEPS, NODES, 2·nz)

    def code(self, height: int, width: int, level: int, take: Take) -> Integers:
        """ẑ (nz, height, width), which ``take`` encodes or decodes step by step."""
        z_hat = np.zeros((self.offset.shape[2] // 2, height, width), np.int32)
        for step in range(STEPS):
            parts = step_parts(len(z_hat), step)
            scatter(z_hat, parts, take(parts, self.expected(step, z_hat, level)))
        return z_hat

    def expected(self, step: int, z_hat: Integers, level: int) -> Expected:
        """What to expect of the elements of a step; z_hat (nz, h, w) holds those of the steps before, zero elsewhere."""
        offset = interpolate_int(self.offset[step], level)[:, None]
        if step:
            hidden = activated(self.look[step - 1](neighbours(z_hat.astype(np.float32))))
            results = self.out[step - 1](hidden) + offset
        else:
            results = np.broadcast_to(offset, (len(offset), z_hat[0].size))
        parts = step_parts(len(z_hat), step)
        mean, scale = (gather(result, parts) for result in results.reshape(2, *z_hat.shape))
        above = mean.clip(-Z_MAX * MEAN_STEPS, Z_MAX * MEAN_STEPS) + MEAN_STEPS // 2
        index = ((scale + ACTIVATION_STEPS // 2) // ACTIVATION_STEPS).clip(0, HYPER_INDEXES - 1)
        return Expected(above // MEAN_STEPS, index * MEAN_STEPS + above % MEAN_STEPS)
