"""Which symbols each of the four coding steps takes. No torch.

Positions have four phases (2×2), channels four groups; step k codes group (k - phase) mod 4 at every position:

    phase   0 2     channels of step 0, by phase:   0: group 0   2: group 2
            3 1                                     3: group 1   1: group 3

so after the first step every symbol has coded neighbours both in space and in channels (after the quadtree partition of
DCVC-DC, Li et al., CVPR 2023, section 3.3).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STEPS = 4
PHASES = np.array([[0, 2], [3, 1]])


def step_masks(m: int, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Which symbols each step codes: (STEPS, M, H, W), exactly one step true for each symbol. NORMATIVE."""
    phase = PHASES[np.arange(height)[:, None] % 2, np.arange(width) % 2]
    group = np.arange(m)[:, None, None] * STEPS // m
    step = (phase + group) % STEPS
    return step == np.arange(STEPS)[:, None, None, None]
