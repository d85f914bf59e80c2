"""Dependent quantisation in training: the choices of the encoder (`entropy/quantiser.py`) with a straight-through gradient.

The choices depend on what symbols cost, and tables are fitted only at export. Until then the model counts the symbols it chooses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..entropy.quantiser import LARGEST, Bits, bits_of, quantise_each
from ..entropy.tables import Tables, gaussian_weights
from ..entropy.trellis import TABLES, Indexes, Symbols, tables_of
from .masks import Part, gather, scatter, step_parts

PRIOR = 200.0
"""How many symbols drawn from the Gaussian of a table count as seen before the first."""
MEMORY = 0.98
"""How much of the counts is left after a batch."""


class Choice(NamedTuple):
    """What became of the values of a step, all (B, M, H, W), zero elsewhere and where the scale index is 0."""

    residual: Tensor
    """with the gradient of the value"""
    symbol: Tensor
    bits: Tensor
    """what the symbols cost"""


class SymbolCosts(nn.Module):
    """What symbols cost, from counts of those chosen lately, by table and |symbol|."""

    counts: Tensor
    prior: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("prior", PRIOR * _gaussian_shares(), persistent=False)
        self.register_buffer("counts", self.prior.clone())
        self.register_load_state_dict_pre_hook(_without_counts)  # type: ignore[no-untyped-call]

    def bits(self) -> Bits:
        """Costs as `quantise` takes them."""
        shares = self.counts / self.counts.sum(1, keepdim=True)
        bits: Bits = (-torch.log2(shares)).numpy()
        bits[:, 1:] += 1  # the sign
        return bits

    def load(self, tables: Tables) -> None:
        """Begin with what the symbols of tables cost."""
        shares = torch.from_numpy(np.exp2(-bits_of(tables)))
        shares[:, 1:] *= 2
        shares[:, -1] = torch.maximum(shares[:, -1], 1 - shares[:, :-1].sum(1))  # all larger symbols
        self.counts.copy_(PRIOR / (1 - MEMORY) * shares)

    def remember(self, seen: Tensor) -> None:
        """Add what was counted in a batch, (TABLES, LARGEST + 1), and forget some of what was before."""
        self.counts.copy_(MEMORY * self.counts + (1 - MEMORY) * self.prior + seen)


class Chooser:
    """Chooses as the encoder of files does, and counts what it chose: ``seen`` (TABLES, LARGEST + 1)."""

    def __init__(self, costs: SymbolCosts) -> None:
        self.bits = costs.bits()
        self.seen = torch.zeros_like(costs.counts)

    def __call__(self, step: int, value: Tensor, index: Tensor) -> Choice:
        """Quantise the values (B, M, H, W) of a step, each sample on its own, with their scale indexes."""
        parts = step_parts(value.shape[1], step)
        indexes = np.stack([gather(own, parts) for own in as_indexes(index)])
        found = quantise_each(np.stack([gather(own, parts) for own in value.detach().float().numpy()]), indexes, self.bits)
        coded = indexes > 0
        tables = tables_of(indexes[coded], found.shifted[coded])
        sizes = np.minimum(np.abs(found.symbols[coded]), LARGEST)
        self.seen += _histogram(tables, sizes)
        bits = np.zeros(indexes.shape, np.float32)
        bits[coded] = self.bits[tables, sizes]
        residual, symbol, bits_ = (_scattered(arrays, parts, value.shape) for arrays in (found.residuals, found.symbols, bits))
        through = value * (index.detach() > 0)
        return Choice(through + (residual - through).detach(), symbol, bits_)


def _scattered(arrays: npt.NDArray[np.number[Any]], parts: tuple[Part, ...], shape: torch.Size) -> Tensor:
    """The symbols of a step (B, n) where they belong in (B, M, H, W), float32, zero elsewhere."""
    whole = np.zeros(shape, np.float32)
    for out, values in zip(whole, arrays, strict=True):
        scatter(out, parts, values.astype(np.float32))
    return torch.from_numpy(whole)


def as_indexes(index: Tensor) -> Indexes:
    """Scale indexes of the float twin as the integers they are."""
    indexes: Indexes = index.detach().numpy().astype(np.uint8)
    return indexes


def _without_counts(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Let runs go on that began before there were counts."""
    state.setdefault(f"{prefix}counts", module.get_buffer("counts"))


def _histogram(tables: npt.NDArray[np.uint8], sizes: Symbols) -> Tensor:
    flat = np.bincount(tables.astype(np.intp) * (LARGEST + 1) + sizes, minlength=TABLES * (LARGEST + 1))
    return torch.from_numpy(flat.reshape(TABLES, LARGEST + 1).astype(np.float32))


def _gaussian_shares() -> Tensor:
    """(TABLES, LARGEST + 1): probabilities of |symbol|; the last is all larger ones."""
    shares = np.zeros((TABLES, LARGEST + 1), np.float32)
    for row, weights in zip(shares, map(gaussian_weights, range(TABLES)), strict=True):
        half = len(weights) // 2 - 1
        sizes = np.minimum(np.abs(np.arange(-half, half + 2)), LARGEST)  # the escape, last, is larger than half
        np.add.at(row, sizes, weights / weights.sum())
        row += 1e-7
    return torch.from_numpy(shares)
