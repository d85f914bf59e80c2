"""The quality axis: one network serves all rates, conditioned on a position between nine nodes.

    quality 0..100  ──table of the model──▶  level 0..8192  ──▶  weights of the 9 nodes  ──▶  gains, scales, biases
                                             (integer, normative)

A *level* counts 1/1024 of the distance between two nodes; node n stands for
``lmbda = LMBDA_MIN · (LMBDA_MAX / LMBDA_MIN)^(n / 8)``. Everything that depends on the quality is a table with
nine rows, interpolated linearly; the scale path does that in integers.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

NODES = 9
LEVELS_PER_NODE = 1024
MAX_LEVEL = (NODES - 1) * LEVELS_PER_NODE
LMBDA_MIN, LMBDA_MAX = 0.0008, 0.8
"""Range of λ in R + λ·255²·MSE, R in bits per pixel."""


def lmbda_of_level(level: float) -> float:
    """λ at a level in 0..MAX_LEVEL."""
    return LMBDA_MIN * math.exp(math.log(LMBDA_MAX / LMBDA_MIN) * level / MAX_LEVEL)


def level_of_lmbda(lmbda: float) -> int:
    """The nearest level to a λ, clamped to 0..MAX_LEVEL."""
    level = math.log(lmbda / LMBDA_MIN) / math.log(LMBDA_MAX / LMBDA_MIN) * MAX_LEVEL
    return min(max(round(level), 0), MAX_LEVEL)


def node_weights(level: int) -> npt.NDArray[np.float32]:
    """Linear interpolation weights of the nodes at a level, shape (1, NODES), summing to 1."""
    distance = np.abs(np.arange(NODES) - level / LEVELS_PER_NODE)
    weights: npt.NDArray[np.float32] = np.maximum(0.0, 1.0 - distance).astype(np.float32)[None]
    return weights


def interpolate_int(table: npt.NDArray[np.int32], level: int) -> npt.NDArray[np.int32]:
    """A row of an integer table (NODES, C) at a level, rounded half up in integers alone. NORMATIVE."""
    node = min(level // LEVELS_PER_NODE, NODES - 2)
    fraction = level - node * LEVELS_PER_NODE
    mixed = table[node] * (LEVELS_PER_NODE - fraction) + table[node + 1] * fraction
    row: npt.NDArray[np.int32] = (mixed + LEVELS_PER_NODE // 2) >> 10
    return row
