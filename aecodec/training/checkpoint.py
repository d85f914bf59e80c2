"""Checkpoints that survive a kill: written beside and renamed, so that the file at the path is always whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..atomic import replacing
from ..errors import ModelError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; the old file stays until the new one is complete."""
    with replacing(path, sync=True) as file:
        torch.save(state, file)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote. Tensors and plain values only (``weights_only``): a checkpoint can't run code."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"{path}: not a checkpoint ({type(error).__name__})") from error
    return state


def fill(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a model the tensors that a checkpoint has for it; raises ModelError if it is one of another version, with others."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{path} is of another version of aecodec, whose model has other tensors; "
            "export it with that version, and --init can begin with the weights"
        ) from error


def checkpoint_path(folder: Path) -> Path:
    """The checkpoint of a run."""
    return folder / "checkpoint.pt"
