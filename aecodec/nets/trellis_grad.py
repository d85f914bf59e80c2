"""Dependent quantisation with a gradient, for training and search.

A choice has no gradient. So the path through the trellis is taken to be drawn at random, and what is minimised is the expected
cost (`entropy/expected.py`). In training what is decoded, and what contexts see, are still the values that the encoder would
choose (`entropy/quantiser.py`).

The choices depend on what symbols cost, and tables are fitted only at export. Until then the model counts the symbols it chooses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..entropy.expected import expect_each
from ..entropy.quantiser import LARGEST, Bits, Candidates, Floats, bits_of, candidates, quantise_each
from ..entropy.tables import Tables, fit, gaussian_weights, no_counts
from ..entropy.trellis import TABLES, Indexes, Symbols, tables_of

PRIOR = 200.0
"""How many symbols drawn from the Gaussian of a table count as seen before the first."""
MEMORY = 0.98
"""How much of the counts is left after a batch."""
MANY = 1_000_000
"""So many symbols of a table that what it was before any symbol no longer matters."""
TEMPERATURE = 2.0
"""Of the paths, in bits. With 0.7 or 4 the gradient is worth no more to training than that of additive noise."""
CURVATURE = 5.0
"""Bits that the squared error of a value, in steps, counts for on its way to the loss: what the decoder makes of it."""


class Choice(NamedTuple):
    """What became of the values of a step, all (B, n), zero where the scale index is 0."""

    residual: Tensor
    symbol: Tensor
    bits: Tensor
    """what the symbols cost"""


class SymbolCosts(nn.Module):
    """What symbols cost, from counts of those chosen lately, by table and |symbol|."""

    counts: Tensor
    """(TABLES, LARGEST + 1); the last is of all larger symbols, too"""
    prior: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._tails = [_tail(table) for table in range(TABLES)]
        self.register_buffer("prior", PRIOR * _gaussian_shares(), persistent=False)
        self.register_buffer("counts", self.prior.clone())
        self.register_load_state_dict_pre_hook(_without_counts)  # type: ignore[no-untyped-call]

    def bits(self) -> Bits:
        """Costs as `quantise` takes them."""
        shares = self.counts / self.counts.sum(1, keepdim=True)
        shares[:, -1] *= torch.tensor([tail[0] for tail in self._tails])
        bits: Bits = (-torch.log2(shares)).numpy()
        bits[:, 1:] += 1  # the sign
        return bits

    def load(self, tables: Tables) -> None:
        """Begin with what the symbols of tables cost."""
        shares = torch.from_numpy(np.exp2(-bits_of(tables)))
        shares[:, 1:] *= 2
        shares[:, -1] = torch.maximum(shares[:, -1], 1 - shares[:, :-1].sum(1))  # all larger symbols
        self.counts.copy_(PRIOR / (1 - MEMORY) * shares)

    def tables(self) -> Tables:
        """Tables with these costs; those of ẑ are as before any symbol."""
        residual, hyper = no_counts()
        middle = residual.shape[1] // 2
        share = MANY * self.counts.numpy() / self.counts.numpy().sum(1, keepdims=True)
        residual[:, middle : middle + LARGEST] = share[:, :-1]  # both signs together, as `fit` takes them
        for own, tail, larger in zip(residual, self._tails, share[:, -1], strict=True):
            own[middle + LARGEST : middle + LARGEST + len(tail)] = larger * tail
        return fit(residual, hyper)

    def remember(self, seen: Tensor) -> None:
        """Add what was counted in a batch, (TABLES, LARGEST + 1), and forget some of what was before."""
        self.counts.copy_(MEMORY * self.counts + (1 - MEMORY) * self.prior + seen)


class Chooser:
    """Chooses as the encoder of files does, and counts what it chose: ``seen`` (TABLES, LARGEST + 1).

    Values get the gradient of the expected loss. For a residual r it is taken to be its bits and, near the one that is chosen,
    whose slope L' comes from the decoder, L(chosen) + (r - chosen)·L' + CURVATURE·(r - chosen)².
    """

    def __init__(self, costs: SymbolCosts) -> None:
        self.bits = costs.bits()
        self.seen = torch.zeros_like(costs.counts)

    def __call__(self, value: Tensor, index: Tensor) -> Choice:
        """Quantise the values (B, n) of a step, each sample on its own, with their scale indexes."""
        tried = candidates(*_arrays(value, index), self.bits)
        found = quantise_each(tried)
        coded = tried.indexes > 0
        tables = tables_of(tried.indexes[coded], found.shifted[coded])
        sizes = np.minimum(np.abs(found.symbols[coded]), LARGEST)
        self.seen += _histogram(tables, sizes)
        costs = np.zeros(coded.shape, np.float32)
        costs[coded] = self.bits[tables, sizes]
        residual, bits = torch.from_numpy(found.residuals), torch.from_numpy(costs)
        if value.requires_grad:
            mean, soft, variance = _Expectation.apply(value, tried)  # type: ignore[no-untyped-call]
            error = variance + 2 * (mean.detach() - residual) * mean  # but for what has no gradient
            residual, bits = _with_gradient(residual, mean), _with_gradient(bits, soft + CURVATURE * error)
        return Choice(residual, torch.from_numpy(found.symbols).float(), bits)


def _with_gradient(value: Tensor, soft: Tensor) -> Tensor:
    return soft + (value - soft).detach()


def expectation(value: Tensor, index: Tensor, bits: Bits) -> tuple[Tensor, Tensor, Tensor]:
    """Expected residual, its bits and its variance for the values of a step, all (B, n); see `expect_each`."""
    tried = candidates(*_arrays(value, index), bits)
    return _Expectation.apply(value, tried)  # type: ignore[no-untyped-call, no-any-return]


class _Expectation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, tried: Candidates) -> tuple[Tensor, ...]:
        residual, cost, variance, *slopes = map(torch.from_numpy, expect_each(tried, TEMPERATURE))
        ctx.save_for_backward(*slopes)
        return residual, cost, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        first, second, third = (grad * slope for grad, slope in zip(grads, ctx.saved_tensors, strict=True))
        return first + second + third, None


def _arrays(value: Tensor, index: Tensor) -> tuple[Floats, Indexes]:
    return value.detach().float().numpy(), index.detach().numpy().astype(np.uint8)


def _without_counts(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Let runs go on that began before there were counts."""
    state.setdefault(f"{prefix}counts", module.get_buffer("counts"))


def _histogram(tables: npt.NDArray[np.uint8], sizes: Symbols) -> Tensor:
    flat = np.bincount(tables.astype(np.intp) * (LARGEST + 1) + sizes, minlength=TABLES * (LARGEST + 1))
    return torch.from_numpy(flat.reshape(TABLES, LARGEST + 1).astype(np.float32))


def _tail(table: int) -> npt.NDArray[np.float32]:
    """How symbols from LARGEST on share what is counted of them, by the Gaussian of a table; all to LARGEST if that ends it."""
    weights = gaussian_weights(table)
    larger = weights[len(weights) // 2 - 1 + LARGEST : -1]
    return (larger / larger.sum() if len(larger) else np.ones(1)).astype(np.float32)


def _gaussian_shares() -> Tensor:
    """(TABLES, LARGEST + 1): probabilities of |symbol|; the last is all larger ones."""
    shares = np.zeros((TABLES, LARGEST + 1), np.float32)
    for row, weights in zip(shares, map(gaussian_weights, range(TABLES)), strict=True):
        half = len(weights) // 2 - 1
        sizes = np.minimum(np.abs(np.arange(-half, half + 2)), LARGEST)  # the escape, last, is larger than half
        np.add.at(row, sizes, weights / weights.sum())
        row += 1e-7
    return torch.from_numpy(shares)
