"""What the loop (`loop.py`) needs to know of what is learned: a model, its optimiser, batches, a loss, and what to show.

The tasks are `compression.py`, `restoration.py` and `aecodec.classic`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..errors import UsageError

Pixels = npt.NDArray[np.uint8]
WHOLE = slice(None)
M = TypeVar("M", bound=nn.Module)


class Batch(NamedTuple):
    """The samples of one step; ``inputs`` and ``targets`` may be the same tensor."""

    inputs: Tensor
    """(B, ...): what the model sees"""
    targets: Tensor
    """(B, ...): what should come out"""
    names: Sequence[str]
    """what each sample is, for messages"""


@dataclass(frozen=True)
class Samples:
    """A few examples of what the model does: a grid of images (H, W, 3) or (H, W), uint8."""

    columns: Sequence[str]
    """for example original, noisy, reconstructed"""
    rows: Sequence[Sequence[Pixels]]


class Task(Protocol[M]):
    """What is learned. Everything is a function of the task's configuration, so that a run can be repeated and resumed."""

    name: str
    """kept in the checkpoint: a run goes on with the task it began with"""
    model: M
    """what the optimiser changes; networks that stay as they are belong to the task alone"""
    steps_per_epoch: int | None
    """None where samples are drawn at random for ever"""

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        """The optimiser of ``model``; each of its groups has a "factor" that the loop multiplies the learning rate by."""
        ...

    def batch(self, step: int, part: slice = WHOLE) -> Batch:
        """The samples ``part`` of the batch of a step. Called in a thread of its own, ahead of its time.

        The batch is a function of (seed, step) alone: the parts of several processes are together what one would learn from.
        """
        ...

    def loss(self, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        """The loss (scalar) of ``model``, which is in training mode, and what else the log shows of the batch."""
        ...

    def validate(self, model: M) -> Mapping[str, float]:
        """Figures of a model in evaluation mode, on samples that are not learned from; ``val_loss`` is one of them."""
        ...

    def samples(self, model: M) -> Samples:
        """Examples of what a model in evaluation mode does, for samples.png."""
        ...

    def describe(self) -> dict[str, Any]:
        """For config.json: everything needed to repeat the run, beside `TrainConfig`.

        Its "model" is in the checkpoint, too, and says which model it is: a run goes on with no other.
        """
        ...


def places(size: int, part: slice) -> range:
    """Which samples of a batch of ``size`` a process makes.

    Raises:
        UsageError: none; there are more processes than samples.
    """
    mine = range(size)[part]
    if not mine:
        raise UsageError(f"a batch of {size} can't be shared by {part.step} processes")
    return mine


def adam(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Adam at one rate for all parameters: what most tasks want."""
    groups = [{"params": list(model.parameters()), "factor": 1.0}]
    return torch.optim.Adam(groups, lr=rate, betas=(0.9, 0.99), fused=True)
