"""Which symbols each of the four coding steps takes, and in which order. No torch. NORMATIVE.

Positions have four phases (2×2), channels four groups; step k codes group (k - phase) mod 4 at every position:

    phase   0 2     channels of step 0, by phase:   0: group 0   2: group 2
            3 1                                     3: group 1   1: group 3

so after the first step every symbol has coded neighbours both in space and in channels (after the quadtree partition of
DCVC-DC, Li et al., CVPR 2023, section 3.3). Within a step symbols come phase by phase, each in the order of an array
(M/4, H/2, W/2).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

STEPS = 4
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""(row, column) within its 2×2 block of each phase."""

Part = tuple[slice, slice, slice]
Scalar = TypeVar("Scalar", bound=np.generic)


def step_parts(m: int, step: int) -> tuple[Part, ...]:
    """The symbols of a step as four slices (channels, rows, columns) of a latent (M, H, W), one a phase; M a multiple of 4."""
    size = m // STEPS
    groups = [(step - phase) % STEPS for phase in range(STEPS)]
    return tuple(
        (slice(group * size, (group + 1) * size), slice(row, None, 2), slice(column, None, 2))
        for group, (row, column) in zip(groups, PHASES, strict=True)
    )


def gather(array: npt.NDArray[Scalar], parts: tuple[Part, ...]) -> npt.NDArray[Scalar]:
    """The symbols of a step, in order, (n,)."""
    return np.concatenate([array[part].ravel() for part in parts])


def scatter(array: npt.NDArray[Scalar], parts: tuple[Part, ...], values: npt.NDArray[Scalar]) -> None:
    """Put the symbols of a step (n,) back where `gather` took them from."""
    start = 0
    for part in parts:
        target = array[part]
        target[...] = values[start : start + target.size].reshape(target.shape)
        start += target.size


def step_masks(m: int, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The same as masks, for training: (STEPS, M, H, W), exactly one step true for each symbol."""
    masks = np.zeros((STEPS, m, height, width), np.bool_)
    for step in range(STEPS):
        for part in step_parts(m, step):
            masks[step][part] = True
    return masks
