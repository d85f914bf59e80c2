"""One tile's latent to symbols and back: the hyper-latent, then four steps of means, scale indexes and residuals.

    y ─ h_a ─ round ─ ẑ ─┬─ h_s ─ features ──▶ means of step k   (float: any engine)
                          └─ scale features ──▶ scale indexes     (integers: exact everywhere)
    for k in 0..3:   symbols for y - mean, zero where the index is 0;   r of the symbols;   y_hat = r + mean

ẑ itself is coded in four such steps before (`model/hyper_path.py`). Encoder and decoder run the same loops and differ only in
where a step's symbols come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..entropy.alphabet import Z_MAX
from ..entropy.coder import SYMBOL_LIMIT, Decoder, Encoder, Models
from ..entropy.quantiser import bits_of, quantise
from ..entropy.tables import Tables
from ..entropy.trellis import Indexes, Shifted, Symbols, residuals_of
from ..errors import FormatError
from ..model.engine import Engine
from ..model.hyper_path import Expected, HyperPath
from ..model.integers import Integers
from ..model.quality import node_weights
from ..model.scale_path import ScalePath
from ..model.steps import STEPS, Part, gather, scatter, step_parts
from .grid import Box, Grid, intersection, within

TakeStep = Callable[[tuple[Part, ...], Array, Indexes], tuple[Symbols, Shifted]]
"""(where the step's symbols are, their means, their indexes) → the symbols (n,), and which are of the second quantiser."""


FARTHEST = SYMBOL_LIMIT - 2
"""Values beyond this are taken to be as far from their means: the symbols tried for them are up to 2 larger."""


@dataclass(frozen=True)
class Latent:
    """Everything a tile's bytes say. Arrays (M, H, W), ẑ (nz, ⌈H/4⌉, ⌈W/4⌉)."""

    z_hat: Integers
    symbols: Symbols
    shifted: Shifted
    indexes: Indexes
    y_hat: Array


@dataclass(frozen=True)
class Coded:
    """A tile's bytes, and what they say."""

    data: bytes
    latent: Latent


class LatentCoder:
    """The entropy path of one model."""

    def __init__(self, engine: Engine, hyper: HyperPath, scales: ScalePath, tables: Tables) -> None:
        self.engine, self.hyper, self.scales = engine, hyper, scales
        self.models = Models(tables.rows)
        self.bits = bits_of(tables)

    def encode(self, y: Array, level: int, check: bool, z: Array | None = None) -> Coded:
        """y (M, H, W), scaled by the gain → the tile's bytes. With ``check`` they are decoded again and compared.

        ``z`` (nz, ⌈H/4⌉, ⌈W/4⌉) is what a search has found along with y; else h_a makes it.
        """
        _, height, width = y.shape
        if z is None:
            padded = np.pad(y, ((0, 0), (0, -height % 4), (0, -width % 4)), mode="edge")
            z = self.engine.run("h_a", padded[None], node_weights(level))[0]
        rounded = np.clip(np.floor(z + 0.5), -Z_MAX, Z_MAX).astype(np.int32)
        encoder = Encoder(self.models)

        def take_hyper(parts: tuple[Part, ...], expected: Expected) -> Integers:
            values = gather(rounded, parts)
            encoder.hyper(values - expected.whole, expected.table)
            return values

        z_hat = self.hyper.code(rounded.shape[1], rounded.shape[2], level, take_hyper)

        def choose(parts: tuple[Part, ...], means: Array, indexes: Indexes) -> tuple[Symbols, Shifted]:
            values = (gather(y, parts) - means).clip(-FARTHEST, FARTHEST)
            found = quantise(values, indexes, self.bits)
            encoder.step(found.symbols, indexes)
            return found.symbols, found.shifted

        latent = self._steps(z_hat, height, width, level, choose)
        data = encoder.finish()
        if check:
            self._check(data, latent, level)
        return Coded(data, latent)

    def decode(self, data: bytes, height: int, width: int, level: int) -> Latent:
        """The tile's bytes → its latent of (M, height, width); raises FormatError if they are not what an encoder writes."""
        decoder = Decoder(self.models, data)
        z_hat = self._decode_hyper(decoder, -(-height // 4), -(-width // 4), level)
        latent = self._steps(z_hat, height, width, level, lambda _parts, _means, indexes: decoder.step(indexes))
        decoder.finish()
        return latent

    def _decode_hyper(self, decoder: Decoder, height: int, width: int, level: int) -> Integers:
        def take(_parts: tuple[Part, ...], expected: Expected) -> Integers:
            values = decoder.hyper(expected.table) + expected.whole
            if len(values) and np.abs(values).max() > Z_MAX:
                raise FormatError(f"tile: an element of the hyper-latent is {values[np.abs(values).argmax()]}, limit {Z_MAX}")
            return values

        return self.hyper.code(height, width, level, take)

    def _steps(self, z_hat: Integers, height: int, width: int, level: int, take: TakeStep) -> Latent:
        nodes = node_weights(level)
        features = self.engine.run("h_s", z_hat[None].astype(np.float32), nodes)
        features = np.ascontiguousarray(features[:, :, :height, :width])
        scale_features = self.scales.features(z_hat, height, width)
        m = self.scales.channels
        y_hat = np.zeros((m, height, width), np.float32)
        symbols = np.zeros((m, height, width), np.int32)
        shifted, all_indexes = (np.zeros((m, height, width), np.uint8) for _ in range(2))
        for k in range(STEPS):
            parts = step_parts(m, k)
            seen = (y_hat[None], features) if k else (features,)
            means = gather(self.engine.run(f"context{k}", *seen, nodes)[0], parts)
            indexes = self.scales.index(k, scale_features, symbols if k else None, level)
            taken = take(parts, means, indexes)
            scatter(y_hat, parts, means + residuals_of(*taken))
            for array, values in ((symbols, taken[0]), (shifted, taken[1]), (all_indexes, indexes)):
                scatter(array, parts, values)
        return Latent(z_hat, symbols, shifted, all_indexes, y_hat)

    def _check(self, data: bytes, latent: Latent, level: int) -> None:
        decoder = Decoder(self.models, data)
        _, height, width = latent.z_hat.shape
        same = np.array_equal(self._decode_hyper(decoder, height, width, level), latent.z_hat)
        for k in range(STEPS):
            parts = step_parts(len(latent.y_hat), k)
            symbols, _ = decoder.step(gather(latent.indexes, parts))
            same &= np.array_equal(symbols, gather(latent.symbols, parts))
        decoder.finish()
        if not same:
            raise FormatError("the entropy-coded data does not decode to what was encoded; nothing was written")


class LatentRows:
    """The latents of a whole image, decoded tile by tile when they are needed and dropped when they no longer are.

    Args:
        tolerant: take tiles that are damaged as zero, and note them in ``damaged``, instead of raising FormatError.
    """

    def __init__(self, coder: LatentCoder, tiles: Sequence[bytes | None], grid: Grid, level: int, tolerant: bool) -> None:
        self.coder, self.tiles, self.grid, self.level, self.tolerant = coder, tiles, grid, level, tolerant
        self.damaged: set[tuple[int, int]] = set()
        self._held: dict[tuple[int, int], Array] = {}

    def read(self, box: Box) -> Array:
        """y_hat (M, H, W) of a box of latents, from as many tiles as it touches."""
        out = np.empty((self.coder.scales.channels, box[2] - box[0], box[3] - box[1]), np.float32)
        for row, column in self.grid.touching(box):
            tile = self.grid.box(row, column)
            common = intersection(tile, box)
            out[:, *within(common, box)] = self._tile(row, column)[:, *within(common, tile)]
        return out

    def forget_above(self, row: int) -> None:
        """Drop what lies above a row of tiles."""
        self._held = {at: y_hat for at, y_hat in self._held.items() if at[0] >= row}

    def decode(self, row: int, column: int) -> Latent:
        """One tile; raises FormatError."""
        top, left, bottom, right = self.grid.box(row, column)
        data = self.tiles[row * self.grid.columns + column]
        if data is None:
            raise FormatError(f"tile {column},{row}: its checksum does not match")
        try:
            return self.coder.decode(data, bottom - top, right - left, self.level)
        except FormatError as error:
            raise FormatError(f"tile {column},{row}: {error}") from error

    def _tile(self, row: int, column: int) -> Array:
        if (row, column) not in self._held:
            try:
                y_hat = self.decode(row, column).y_hat
            except FormatError:
                if not self.tolerant:
                    raise
                self.damaged.add((row, column))
                top, left, bottom, right = self.grid.box(row, column)
                y_hat = np.zeros((self.coder.scales.channels, bottom - top, right - left), np.float32)
            self._held[row, column] = y_hat
        return self._held[row, column]
