"""The symbols of a step as tensors: twins of `steps.gather` and `steps.scatter` with a gradient, and where layers look for them.

A step takes a quarter of the latent. What leads to its symbols is computed for these alone, in their order, (B, n).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..model.steps import Part


def gathered(whole: Tensor, parts: tuple[Part, ...]) -> Tensor:
    """The symbols of a step, in order: (B, M, H, W) → (B, n)."""
    return _Gather.apply(whole, parts)  # type: ignore[no-untyped-call, no-any-return]


def scattered(values: Tensor, parts: tuple[Part, ...], shape: torch.Size) -> Tensor:
    """The reverse of `gathered`: (B, n) → ``shape`` (B, M, H, W), zero elsewhere."""
    return _Scatter.apply(values, parts, shape)  # type: ignore[no-untyped-call, no-any-return]


def looks(h: Tensor, parts: tuple[Part, ...]) -> Iterator[tuple[slice, Tensor]]:
    """What a 1×1 layer on h (B, C, H, W) has to look at, phase by phase: for which channels of its own, and (B, h, w, C)."""
    for (channels, _, _), own in zip(parts, _Phases.apply(h, parts), strict=True):  # type: ignore[no-untyped-call]
        yield channels, own


def joined(pieces: Iterable[Tensor]) -> Tensor:
    """What a layer says of each of `looks`, channels last, as the symbols of the step, (B, n)."""
    return torch.cat([piece.permute(0, 3, 1, 2).flatten(1) for piece in pieces], 1)


def _gather(whole: Tensor, parts: tuple[Part, ...]) -> Tensor:
    return torch.cat([whole[:, *part].flatten(1) for part in parts], 1)


def _scatter(values: Tensor, parts: tuple[Part, ...], shape: torch.Size) -> Tensor:
    whole, start = values.new_zeros(shape), 0
    for part in parts:
        target = whole[:, *part]
        stop = start + target[0].numel()
        target.copy_(values[:, start:stop].reshape(target.shape))
        start = stop
    return whole


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, parts: tuple[Part, ...]) -> Tensor:
        ctx.parts, ctx.shape = parts, whole.shape
        return _gather(whole, parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _scatter(grad, ctx.parts, ctx.shape), None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, parts: tuple[Part, ...], shape: torch.Size) -> Tensor:
        ctx.parts = parts
        return _scatter(values, parts, shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _gather(grad, ctx.parts), None, None


class _Phases(torch.autograd.Function):
    """Slices would each have a gradient of the whole size."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, parts: tuple[Part, ...]) -> tuple[Tensor, ...]:
        ctx.parts, ctx.shape = parts, h.shape
        return tuple(h[:, :, rows, columns].permute(0, 2, 3, 1).contiguous() for _, rows, columns in parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        b, c, height, width = ctx.shape
        whole = grads[0].new_empty(b, height, width, c)
        for (_, rows, columns), grad in zip(ctx.parts, grads, strict=True):
            whole[:, rows, columns] = grad
        return whole.permute(0, 3, 1, 2), None
