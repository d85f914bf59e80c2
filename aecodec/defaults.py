"""What holds where nothing else is asked for, and the efforts. Hardly any imports: the command line starts with it."""

from __future__ import annotations

from .errors import UsageError

DEFAULT_QUALITY = 75.0
DEFAULT_TILE = 1024

SEARCH_STEPS = (0, 0, 3, 7, 14, 17, 20, 23, 26, 30)
"""Gradient steps of the search of each effort. From 1 on a file also gets a correction (`correction.py`).

More than 30 make files larger again (benchmarks/effort): what is expected falls on, what is then chosen costs more.
"""
MAX_EFFORT = len(SEARCH_STEPS) - 1
DEFAULT_EFFORT = 1
"""The correction gains 2 % for one run of the decoder; a search needs PyTorch, and seconds."""


def search_steps(effort: int | None) -> int:
    """Gradient steps of an effort, or of the default; raises UsageError if there is no such effort."""
    if effort is None:
        return SEARCH_STEPS[DEFAULT_EFFORT]
    if not 0 <= effort <= MAX_EFFORT:
        raise UsageError(f"effort is {effort}, allowed 0..{MAX_EFFORT}")
    return SEARCH_STEPS[effort]
