"""Libraries that the core install leaves out."""

from __future__ import annotations

from .errors import ModelError


def need_torch(purpose: str) -> None:
    """Raise ModelError, naming the extra to install, if PyTorch is missing; ``purpose`` is what wants it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(f"{purpose} needs PyTorch: pip install 'aecodec[train]'") from error
