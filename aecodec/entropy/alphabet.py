"""What there is to code: the range of ẑ, and what a scale index stands for. No torch. NORMATIVE."""

from __future__ import annotations

import math

Z_MAX = 63
"""The hyper-latent ẑ is clamped to -Z_MAX..Z_MAX: its tables cover every value, the integer network knows its largest input."""

INDEXES = 64
SCALE_MIN, SCALE_MAX = 0.11, 64.0
INDEX_STEP = math.log(SCALE_MAX / SCALE_MIN) / (INDEXES - 1)
"""Scale index i stands for a standard deviation of SCALE_MIN·exp(i·INDEX_STEP); index 0 means "certainly zero", not coded."""


HYPER_INDEXES = 24
HYPER_SCALE_MIN, HYPER_SCALE_MAX = 0.06, 8.0
HYPER_INDEX_STEP = math.log(HYPER_SCALE_MAX / HYPER_SCALE_MIN) / (HYPER_INDEXES - 1)
"""Of ẑ, scale index i stands for a logistic distribution with the scale HYPER_SCALE_MIN·exp(i·HYPER_INDEX_STEP)."""
MEAN_STEPS = 8
"""Means of ẑ are multiples of 1/8: their fractions have tables of their own."""
HYPER_TABLES = HYPER_INDEXES * MEAN_STEPS
"""How many tables of ẑ there are."""
