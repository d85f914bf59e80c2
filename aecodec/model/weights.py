"""Weights files: safetensors, known by the first eight bytes of their SHA-256 (the *fingerprint*). No torch.

A weights file holds the float networks (names as in `autoencoder.AutoEncoder`) as `packed` makes them, the integers of the scale
path (``scales.*``), the frequency tables (``tables.*``), and ``quality.levels``, the level of each quality 0..100.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ..atomic import replacing
from ..errors import ModelError
from .quality import MAX_LEVEL

DEFAULT = Path(__file__).parent.parent / "weights" / "default.safetensors"

Tensor = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Weights:
    """A loaded file."""

    path: Path
    fingerprint: bytes
    tensors: dict[str, Tensor]
    config: dict[str, int]

    @classmethod
    def load(cls, path: Path = DEFAULT) -> Weights:
        """Read a weights file; raises ModelError if it is missing or not one."""
        try:
            data = path.read_bytes()
            tensors, stated = read(data)
            config = json.loads(stated["config"])
        except OSError as error:
            raise ModelError(f"model {path}: {error.strerror or error}") from error
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"model {path}: not a weights file of aecodec ({error})") from error
        return cls(path, hashlib.sha256(data).digest()[:8], tensors, config)

    @cached_property
    def floats(self) -> dict[str, npt.NDArray[np.float32]]:
        """The tensors of the float networks, in float32."""
        return {k: v.astype(np.float32) for k, v in self.tensors.items() if v.dtype.kind == "f"}

    def network(self, name: str) -> dict[str, npt.NDArray[np.float32]]:
        """The tensors of one network of `engine`, in float32, named as inside it."""
        prefix = name.replace("context", "context.") + "."
        return {k.removeprefix(prefix): v.astype(np.float32) for k, v in self.tensors.items() if k.startswith(prefix)}

    @property
    def sees_missing(self) -> bool:
        """Whether g_a takes a fourth channel, the missing pixels; only that of an encoder that inpaints does (`encoders.py`)."""
        stem = self.tensors.get("g_a.stem.weight")
        return stem is not None and stem.shape[1:2] == (4,)

    def level(self, quality: int) -> int:
        """The level of a quality in hundredths (0..10000): linear between the model's whole qualities, in integers. NORMATIVE."""
        levels = self.tensors["quality.levels"].astype(np.int64)
        whole, hundredths = divmod(quality, 100)
        following = levels[min(whole + 1, 100)]
        level = int((levels[whole] * (100 - hundredths) + following * hundredths + 50) // 100)
        if not 0 <= level <= MAX_LEVEL:
            raise ModelError(f"model {self.path}: quality {quality} maps to level {level}, allowed 0..{MAX_LEVEL}")
        return level


STEP = ".step"


def packed(floats: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, Tensor]:
    """Float tensors as files hold them: float16, but for the matrices of the blocks at 1/16 and below, most of all parameters.

    These become int8 and, under the name with ``.step`` at its end, what 1 stands for in each row, (O, 1, 1, 1) float32. That
    costs a hundredth of a percent of the loss; with the blocks at 1/8, which are small, it would be six.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in floats.items():
        if name.endswith(("expand.weight", "project.weight")) and ".blocks1." not in name:
            step = np.maximum(np.abs(tensor).max(axis=(1, 2, 3), keepdims=True) / 127, np.finfo(np.float32).tiny)
            tensors[name], tensors[name + STEP] = np.rint(tensor / step).astype(np.int8), step
        else:
            tensors[name] = tensor.astype(np.float16)
    return tensors


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a file holds with the steps multiplied in, float32; tensors without steps stay as they are."""
    whole = {name: tensor for name, tensor in tensors.items() if not name.endswith(STEP)}
    for name in whole:
        if name + STEP in tensors:
            whole[name] = tensors[name].astype(np.float32) * tensors[name + STEP].astype(np.float32)
    return whole


def read(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, `unpacked`, and its metadata; raises SafetensorError, KeyError or ValueError if it isn't one."""
    tensors = unpacked(safetensors.numpy.load(data))
    size = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    return tensors, metadata


def write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """The inverse of `read`, the tensors as `packed` makes them; in the order of names, so that equal content is equal bytes."""
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    with replacing(path) as file:
        file.write(safetensors.numpy.save(ordered, metadata))


def save(path: Path, tensors: Mapping[str, Tensor], config: dict[str, int]) -> None:
    """Write a weights file."""
    write(path, tensors, {"config": json.dumps(config, sort_keys=True)})
