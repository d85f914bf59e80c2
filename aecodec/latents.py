"""One tile's latent to symbols and back: the hyper-latent, then four steps of means, scale indexes and residuals.

    y ─ h_a ─ round ─ ẑ ─┬─ h_s ─ features ──▶ means of step k   (float: any engine)
                          └─ scale features ──▶ scale indexes     (integers: exact everywhere)
    for k in 0..3:   r = round(y - mean), zero where the index is 0;   y_hat = r + mean

Encoder and decoder run the same loop and differ only in where a step's residuals come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .entropy.coder import RESIDUAL_LIMIT, Decoder, Encoder, Models
from .entropy.tables import Tables
from .errors import FormatError
from .model.engine import Array, Engine
from .model.masks import STEPS, Part, gather, scatter, step_parts
from .model.quality import Z_MAX
from .model.scales import Integers, ScalePath
from .rounding import Rounding
from .tiles import Box, Grid, intersection, within

Indexes = npt.NDArray[np.uint8]
TakeStep = Callable[[tuple[Part, ...], Array, Indexes], Integers]
"""(where the step's symbols are, their means, their indexes) → their residuals (n,)."""


@dataclass(frozen=True)
class Latent:
    """Everything a tile's bytes say. Arrays (M, H, W), ẑ (nz, ⌈H/4⌉, ⌈W/4⌉)."""

    z_hat: Integers
    residuals: Integers
    indexes: Indexes
    y_hat: Array


@dataclass(frozen=True)
class Coded:
    """A tile's bytes, and what they say."""

    data: bytes
    latent: Latent


class LatentCoder:
    """The entropy path of one model."""

    def __init__(self, engine: Engine, scales: ScalePath, tables: Tables) -> None:
        self.engine, self.scales, self.models = engine, scales, Models(tables)
        self.rounding, self.nearest = Rounding(tables), Rounding(tables, weight=math.inf)

    def encode(self, y: Array, level: int, check: bool, z: Array | None = None) -> Coded:
        """y (M, H, W), scaled by the gain → the tile's bytes. With ``check`` they are decoded again and compared.

        ``z`` (nz, ⌈H/4⌉, ⌈W/4⌉) is what a search has found along with y, which is then rounded to the nearest; else h_a makes it.
        """
        _, height, width = y.shape
        if z is None:
            padded = np.pad(y, ((0, 0), (0, -height % 4), (0, -width % 4)), mode="edge")
            hyper, rounding = self.engine.run("h_a", padded[None])[0], self.rounding
        else:
            hyper, rounding = z, self.nearest
        z_hat = np.clip(np.floor(hyper + 0.5), -Z_MAX, Z_MAX).astype(np.int32)
        encoder = Encoder(self.models)
        encoder.hyper(z_hat)

        def quantise(parts: tuple[Part, ...], means: Array, indexes: Indexes) -> Integers:
            residuals = rounding.round(gather(y, parts) - means, indexes).clip(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)
            encoder.step(residuals, indexes)
            return residuals

        latent = self._steps(z_hat, height, width, level, quantise)
        data = encoder.finish()
        if check:
            self._check(data, latent)
        return Coded(data, latent)

    def decode(self, data: bytes, height: int, width: int, level: int) -> Latent:
        """The tile's bytes → its latent of (M, height, width); raises FormatError if they are not what an encoder writes."""
        decoder = Decoder(self.models, data)
        z_hat = decoder.hyper(-(-height // 4), -(-width // 4))
        latent = self._steps(z_hat, height, width, level, lambda _parts, _means, indexes: decoder.step(indexes))
        decoder.finish()
        return latent

    def _steps(self, z_hat: Integers, height: int, width: int, level: int, take: TakeStep) -> Latent:
        features = self.engine.run("h_s", z_hat[None].astype(np.float32))
        features = np.ascontiguousarray(features[:, :, :height, :width])
        scale_features = self.scales.features(z_hat, height, width)
        m = self.scales.channels
        y_hat = np.zeros((m, height, width), np.float32)
        residuals = np.zeros((m, height, width), np.int32)
        all_indexes = np.zeros((m, height, width), np.uint8)
        for k in range(STEPS):
            parts = step_parts(m, k)
            arguments = (y_hat[None], features) if k else (features,)
            means = gather(self.engine.run(f"context{k}", *arguments)[0], parts)
            indexes = self.scales.index(k, scale_features, residuals if k else None, level)
            taken = take(parts, means, indexes)
            scatter(y_hat, parts, means + taken.astype(np.float32))
            scatter(residuals, parts, taken)
            scatter(all_indexes, parts, indexes)
        return Latent(z_hat, residuals, all_indexes, y_hat)

    def _check(self, data: bytes, latent: Latent) -> None:
        decoder = Decoder(self.models, data)
        same = np.array_equal(decoder.hyper(*latent.z_hat.shape[1:]), latent.z_hat)
        for k in range(STEPS):
            parts = step_parts(len(latent.y_hat), k)
            same &= np.array_equal(decoder.step(gather(latent.indexes, parts)), gather(latent.residuals, parts))
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
