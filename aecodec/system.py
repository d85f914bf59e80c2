"""What this machine has: cores to share, libraries that the core install leaves out."""

from __future__ import annotations

import os

from .errors import ModelError


def available_cores() -> int:
    """Cores this process may run on. By itself ONNX Runtime counts those of the machine and pins a thread to each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def need_torch(purpose: str) -> None:
    """Raise ModelError, naming the extra to install, if PyTorch is missing; ``purpose`` is what wants it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{purpose} needs PyTorch: pip install 'aecodec[train]'") from error
