"""A trained classic autoencoder as a file: its networks, and the grid and frequencies that its code is compressed with.

The file is safetensors, known like every model by the first bytes of its SHA-256 (its fingerprint). Its metadata has the entry
``classic``, which other models don't have: that is how they are told apart.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
import torch

from ..atomic import replacing
from ..errors import ModelError, UsageError
from .codes import CodeGrid
from .files import KEY, model_file
from .images import Images
from .networks import Autoencoder
from .presets import Architecture

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A loaded file."""

    path: Path
    fingerprint: bytes
    model: Autoencoder
    grid: CodeGrid

    @classmethod
    def load(cls, path: Path) -> TrainedModel:
        """From a file or the folder of a run; raises ModelError if there is none or it is not of a classic autoencoder."""
        path = model_file(path)
        try:
            data = path.read_bytes()
            tensors = safetensors.numpy.load(data)
            size = int.from_bytes(data[:8], "little")
            config = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
            model = Autoencoder(Architecture.from_dict(config["architecture"]), tuple(config["shape"]))
            grid = CodeGrid.load(tensors)
            networks = {k: torch.from_numpy(v) for k, v in tensors.items() if k.startswith(("encoder.", "decoder."))}
            model.load_state_dict(networks)
        except OSError as error:
            raise ModelError(f"model {path}: {error.strerror or error}") from error
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"model {path}: not the model of a classic autoencoder ({reason})") from error
        model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(path, hashlib.sha256(data).digest()[:8], model, grid)

    def encode(self, images: Images) -> Floats:
        """The code of each image, (N, units) or (N, channels, h, w)."""
        return codes(self.model, images)

    @torch.no_grad()
    def errors(self, images: Images) -> Floats:
        """The mean squared error of each reconstruction (N,), of samples in [0, 1]."""
        errors = [(torch.sigmoid(self.model(x)[0]) - x).square().flatten(1).mean(1) for x in images.batches()]
        return torch.cat(errors).numpy()


@torch.no_grad()
def codes(model: Autoencoder, images: Images) -> Floats:
    """The code of each image, (N, units) or (N, channels, h, w)."""
    return torch.cat([model.encoder(x) for x in images.batches()]).contiguous().numpy()


def save(model: Autoencoder, images: Images, recipe: dict[str, Any], path: Path) -> None:
    """Write the file of a model in evaluation mode; the grid of its code is fitted on images."""
    tensors = {name: tensor.detach().contiguous().numpy() for name, tensor in model.state_dict().items()}
    tensors |= CodeGrid.fit(codes(model, images)).tensors()
    config = {"architecture": model.architecture.to_dict(), "shape": list(model.shape), "recipe": recipe}
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    with replacing(path) as file:
        file.write(safetensors.numpy.save(ordered, {KEY: json.dumps(config, sort_keys=True)}))
