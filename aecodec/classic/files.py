"""Where the model of a run lies, and what tells it from a model of the codec. No torch."""

from __future__ import annotations

from pathlib import Path

import safetensors

MODEL = "model.safetensors"
"""The name of the model in the folder of a run."""

KEY = "classic"
"""The entry of the metadata that only files of classic autoencoders have."""


def model_file(path: Path) -> Path:
    """A model's file, also by the folder of its run."""
    return path / MODEL if path.is_dir() else path


def is_classic(path: Path) -> bool:
    """Whether a file, or the folder of a run, holds a classic autoencoder; False if it holds nothing that can be read."""
    try:
        with safetensors.safe_open(model_file(path), "numpy") as file:
            return KEY in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return False
