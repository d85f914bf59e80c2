"""The tile grid: where tiles lie, and how much of their neighbours the transforms must see for no seam to exist.

Positions are (top, left, bottom, right). Tiles are a multiple of 64 pixels, so tile borders are latent borders; only the last row
and column may be smaller, and there the image is continued by its edge up to a whole latent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import UsageError

LATENT = 16
"""Pixels of a latent position."""
HALO = 6
"""Latents (96 pixels) beyond which neither transform sees: 84 pixels for g_a, 88 for g_s."""

Box = tuple[int, int, int, int]
Region = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class Grid:
    """The tiles of an image of ``width`` × ``height`` pixels. All boxes are in latents."""

    width: int
    height: int
    tile: int

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.height // self.tile)

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile)

    @property
    def latent_size(self) -> tuple[int, int]:
        """(height, width) in latents."""
        return -(-self.height // LATENT), -(-self.width // LATENT)

    def box(self, row: int, column: int) -> Box:
        """The latents of a tile."""
        side = self.tile // LATENT
        bottom, right = self.latent_size
        return row * side, column * side, min((row + 1) * side, bottom), min((column + 1) * side, right)

    def boxes(self) -> Iterator[Box]:
        """The latents of all tiles, in raster order."""
        return (self.box(row, column) for row in range(self.rows) for column in range(self.columns))

    def with_halo(self, box: Box) -> Box:
        """A box and the latents around it, as far as the image goes."""
        top, left, bottom, right = box
        height, width = self.latent_size
        return max(top - HALO, 0), max(left - HALO, 0), min(bottom + HALO, height), min(right + HALO, width)

    def visible(self, box: Box) -> tuple[slice, slice]:
        """The pixels of a box that are inside the image, as slices of the pixels of the box with its halo."""
        top, left = (LATENT * edge for edge in self.with_halo(box)[:2])
        bottom, right = min(LATENT * box[2], self.height), min(LATENT * box[3], self.width)
        return slice(LATENT * box[0] - top, bottom - top), slice(LATENT * box[1] - left, right - left)

    def touching(self, box: Box) -> Iterator[tuple[int, int]]:
        """(row, column) of every tile that has latents in a box, in raster order."""
        side = self.tile // LATENT
        top, left, bottom, right = box
        for row in range(top // side, -(-bottom // side)):
            for column in range(left // side, -(-right // side)):
                yield row, column

    def latents_of(self, x: int, y: int, width: int, height: int) -> Box:
        """The latents that cover a region of pixels."""
        return y // LATENT, x // LATENT, -(-(y + height) // LATENT), -(-(x + width) // LATENT)


def intersection(a: Box, b: Box) -> Box:
    """The common part of two boxes that overlap."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def within(box: Box, outer: Box) -> tuple[slice, slice]:
    """A box as slices of an array that holds ``outer``."""
    return slice(box[0] - outer[0], box[2] - outer[0]), slice(box[1] - outer[1], box[3] - outer[1])


def region_inside(region: Region | None, image_width: int, image_height: int) -> Region:
    """A region of an image, the whole of it if None; raises UsageError if it is not inside."""
    x, y, width, height = region or (0, 0, image_width, image_height)
    if min(x, y) < 0 or min(width, height) < 1 or x + width > image_width or y + height > image_height:
        raise UsageError(f"region {x},{y},{width},{height} is not inside the image of {image_width}x{image_height}")
    return x, y, width, height
