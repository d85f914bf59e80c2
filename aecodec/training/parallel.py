"""Several processes that train one model: ``torchrun --nproc-per-node 2 -m aecodec train ...``.

Each takes its share of every batch, and the gradients are averaged, in one message a step (gloo, on the CPU). That is all:
torch's DistributedDataParallel wraps a model's ``forward``, but the losses here call networks one by one, and what it gains,
sending while the backward pass computes, is nothing where the cores that send are those that compute.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import UsageError
from .task import Batch


@dataclass(frozen=True)
class Processes:
    """This process among ``count`` equal ones."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes files and shows progress."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """This process's part of a batch: together they train on the very samples that a single one would."""
        if len(batch.names) < self.count:
            raise UsageError(f"a batch of {len(batch.names)} can't be shared by {self.count} processes")
        part = slice(self.rank, None, self.count)
        return Batch(batch.inputs[part], batch.targets[part], batch.names[part]) if self.count > 1 else batch

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


def this_process() -> Processes:
    """This one among those that torchrun started, which meet here for the first time, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes()
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    return Processes(dist.get_rank(), count)
