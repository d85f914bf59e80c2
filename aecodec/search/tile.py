"""What a search of one tile is given, and what it tells. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..model.engine import Array
from ..model.quality import lmbda_of_level


@dataclass(frozen=True)
class Found:
    """What the search of a tile has come to after a step."""

    step: int
    steps: int
    bpp: float
    psnr: float


Watch = Callable[[Found], bool]
"""Called after each step; the search of the tile ends if it returns true, with what is found so far."""


@dataclass(frozen=True)
class Tile:
    """What is searched: pixels, and where among them the tile's latents and the image lie.

    Args:
        x: pixels of the tile and a halo, (1, 3, 16·H, 16·W) float32 in [0, 1].
        y: their scaled latent (M, H, W).
        inside: rows and columns of y that are the tile's own.
        visible: rows and columns of x that count: those of the tile that are inside the image.
        gray: whether the decoder will show the mean of the channels.
    """

    x: Array
    y: Array
    inside: tuple[slice, slice]
    visible: tuple[slice, slice]
    gray: bool

    def latent(self, y_hat: Array) -> Array:
        """What g_s sees of the tile, (1, M, H, W): its own y_hat (M, h, w); around it y, for what becomes of that isn't known."""
        whole = self.y[None].copy()
        whole[0][:, *self.inside] = y_hat
        return whole

    def cost(self, bits: float, x_hat: Array, level: int) -> float:
        """The true cost in bits of an encoding: R + λ·255²·MSE, times pixels. x_hat is what the decoder makes of y's place."""
        shown = self._shown(x_hat)
        pixels = np.clip(np.round(shown * 255), 0, 255) / 255
        error = np.square(pixels - self._shown(self.x[0]), dtype=np.float64).mean(0).sum()
        return bits + lmbda_of_level(level) * 255**2 * float(error)

    def _shown(self, x: Array) -> Array:
        cut: Array = x[:, self.visible[0], self.visible[1]]
        return cut.mean(0, keepdims=True) if self.gray else cut
