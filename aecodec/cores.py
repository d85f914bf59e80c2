"""How many cores there are to share."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores this process may run on. By itself ONNX Runtime counts those of the machine and pins a thread to each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
