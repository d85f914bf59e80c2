"""What a search of one tile is given, and what it tells. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Mask, Pixels
from ..format.container import CHUNK_OVERHEAD
from ..model.quality import lmbda_of_level
from ..model.steps import Scalar
from .correction import Correction, Fit, as_shown
from .grid import LATENT, Box, Grid


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

    def add_to(self, fit: Fit, x_hat: Array) -> None:
        """Let a correction see the tile; x_hat (3, H, W) is what the decoder makes of it and its surroundings."""
        fit.add(as_shown(x_hat, self.gray), as_shown(self.x[0], self.gray), *self.visible)

    def correction(self, x_hat: Array, level: int) -> Correction | None:
        """The correction that the tile would get if it were the whole picture."""
        fit = Fit(lmbda_of_level(level), channels=1 if self.gray else 3)
        self.add_to(fit, x_hat)
        return fit.solve(CHUNK_OVERHEAD)

    def cost(self, bits: float, x_hat: Array, level: int) -> float:
        """The true cost in bits of an encoding with its correction: R + λ·255²·MSE, times pixels."""
        lmbda = lmbda_of_level(level)
        shown = as_shown(x_hat, self.gray)[:, *self.visible]
        if correction := self.correction(x_hat, level):
            shown = correction.apply(as_shown(x_hat, self.gray), lmbda, *self.visible)
            bits += 8 * (CHUNK_OVERHEAD + len(correction.to_bytes()))
        pixels = np.clip(np.round(shown * 255), 0, 255) / 255
        error = np.square(pixels - as_shown(self.x[0], self.gray)[:, *self.visible], dtype=np.float64).mean(0).sum()
        return bits + lmbda * 255**2 * float(error)


def pixels_of(color: Pixels, missing: Mask | None, grid: Grid, box: Box) -> Array:
    """What g_a sees for a box of latents: its pixels and a halo of real neighbours, (1, 3 or 4, H, W) in [0, 1]."""
    top, left, bottom, right = (LATENT * edge for edge in grid.with_halo(box))
    size = bottom - top, right - left
    pixels = _extended(color[top:bottom, left:right], *size)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    x = np.multiply(pixels.transpose(2, 0, 1)[None], np.float32(1 / 255), dtype=np.float32)
    if missing is not None:
        mask = _extended(missing[top:bottom, left:right], *size)
        x = np.concatenate([x, mask[None, None].astype(np.float32)], 1)
    return np.ascontiguousarray(x)


def _extended(a: npt.NDArray[Scalar], height: int, width: int) -> npt.NDArray[Scalar]:
    """(h, w, ...) continued to the right and below by its edge."""
    missing = [(0, height - a.shape[0]), (0, width - a.shape[1])]
    return np.pad(a, missing + [(0, 0)] * (a.ndim - 2), mode="edge")
