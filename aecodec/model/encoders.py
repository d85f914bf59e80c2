"""Encoders: other g_a for a model whose decoder stays as it is, so that any decoder reads what they make. No torch.

An encoder file is safetensors: the tensors ``g_a.*`` as in a weights file, and in its metadata the kind and the fingerprint of
the model it belongs to. "denoise" takes noisy pictures; "inpaint" takes a fourth channel, which pixels are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors

from ..errors import ModelError
from .weights import DEFAULT, Tensor, Weights, packed, read, write

Kind = Literal["denoise", "inpaint"]
KINDS: tuple[Kind, ...] = ("denoise", "inpaint")


def shipped(kind: Kind) -> Path:
    """The encoder of the package for the default model."""
    return DEFAULT.with_name(f"{kind}.safetensors")


@dataclass(frozen=True)
class Encoder:
    """A loaded file."""

    path: Path
    kind: Kind
    model: bytes
    """fingerprint of the model that it belongs to"""
    tensors: dict[str, Tensor]

    @classmethod
    def load(cls, path: Path) -> Encoder:
        """Read an encoder file; raises ModelError if it is missing or not one."""
        try:
            tensors, stated = read(path.read_bytes())
            kind, model = stated["encoder"], bytes.fromhex(stated["model"])
        except OSError as error:
            raise ModelError(f"encoder {path}: {error.strerror or error}") from error
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"encoder {path}: not an encoder file of aecodec ({error})") from error
        if kind not in KINDS:
            raise ModelError(f"encoder {path}: is for {kind!r}, this aecodec knows {' and '.join(KINDS)}")
        return cls(path, kind, model, tensors)

    def save(self) -> None:
        """Write the file."""
        tensors = packed({name: tensor.astype(np.float32) for name, tensor in self.tensors.items()})
        write(self.path, tensors, {"encoder": self.kind, "model": self.model.hex()})

    def within(self, weights: Weights) -> Weights:
        """The weights with this g_a; what is written with them is still of the model that they are.

        Raises:
            ModelError: the encoder belongs to another model, or lacks tensors.
        """
        if weights.fingerprint != self.model:
            raise ModelError(
                f"encoder {self.path} belongs to model {self.model.hex()}, {weights.path} is {weights.fingerprint.hex()}; "
                "train and export one for that model"
            )
        if self.tensors.keys() != {name for name in weights.tensors if name.startswith("g_a.")}:
            raise ModelError(f"encoder {self.path}: its tensors are not those of g_a")
        return replace(weights, tensors={**weights.tensors, **self.tensors})
