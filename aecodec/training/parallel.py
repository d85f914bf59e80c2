"""Several processes that train one model: ``torchrun --nproc-per-node 2 -m aecodec train ...``.

Each takes its share of every batch, and the gradients are averaged, in one message a step (gloo, on the CPU). Then each updates
its share of the parameters, which it alone keeps the optimizer's state of, and sends them to the others (as in ZeRO, Rajbhandari
et al., 2020, stage 1); when each updated all, SOAP took a quarter of a step. That is all: torch's DistributedDataParallel wraps a
model's ``forward``, but the losses here call networks one by one, and what it gains, sending while the backward pass computes, is
nothing where the cores that send are those that compute.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process among ``count`` equal ones."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes files and shows progress."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """This process's samples of a batch: together they train on the very ones that a single one would."""
        return slice(self.rank, None, self.count)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.count == 1:
            return
        flat = _joined(tensors)
        dist.all_reduce(flat)
        _split(flat / self.count, tensors)

    def owners(self, tensors: Sequence[Tensor]) -> list[int]:
        """The process of each tensor, so that all have about the same number of entries."""
        entries, owners = [0] * self.count, [0] * len(tensors)
        for i in sorted(range(len(tensors)), key=lambda i: -tensors[i].numel()):
            owners[i] = entries.index(min(entries))
            entries[owners[i]] += tensors[i].numel()
        return owners

    def spread(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Replace each tensor by that of its owner."""
        if self.count == 1:
            return
        for rank in range(self.count):
            owned = [tensor for tensor, owner in zip(tensors, owners, strict=True) if owner == rank]
            if owned:
                flat = _joined(owned)
                dist.broadcast(flat, rank)
                if rank != self.rank:
                    _split(flat, owned)

    def union(self, entries: dict[int, Any]) -> dict[int, Any]:
        """The entries of all processes in the first one, in the others their own."""
        if self.count == 1:
            return entries
        gathered: list[Any] | None = [None] * self.count if self.first else None
        dist.gather_object(entries, gathered)
        return {key: part[key] for part in gathered for key in part} if gathered else entries

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is set in some process."""
        if self.count == 1:
            return list(flags)
        votes = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return [bool(vote) for vote in votes]


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def _split(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def this_process() -> Processes:
    """This one among those that torchrun started, which meet here for the first time, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes()
    if not dist.is_initialized():
        # Before the group: its functions, imported later by an optimizer, would keep the group as a default argument.
        importlib.import_module("torch.distributed.nn.functional")
        dist.init_process_group("gloo")
        atexit.register(dist.destroy_process_group)  # its threads, if left to the interpreter's end, now and then abort it
    return Processes(dist.get_rank(), count)
