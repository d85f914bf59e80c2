"""What a codec is asked: below both codecs, and below what drives them. Imports nothing at run time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .arrays import Mask
    from .coding.grid import Region
    from .picture.imageio import Picture

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) after each tile."""


@dataclass(frozen=True)
class Found:
    """What the search of a tile has come to after a step."""

    step: int
    steps: int
    bpp: float
    psnr: float


Watch = Callable[[Found], bool]
"""Called after each step; the search of the tile ends if it returns true, with what is found so far."""


class ImageCodec(Protocol):
    """What the commands ask of a codec: `Codec`, or `classic.codec.ClassicCodec` where the model is a classic autoencoder."""

    @property
    def weights(self) -> object:
        """The model; raises ModelError if it is missing or broken."""
        ...

    def compress(
        self,
        picture: Picture,
        *,
        quality: float,
        effort: int | None,
        missing: Mask | None = None,
        tile: int,
        check: bool,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> bytes:
        """See `Codec.compress`."""
        ...

    def decompress(
        self, data: bytes, *, region: Region | None = None, allow_partial: bool = False, progress: Progress | None = None
    ) -> Picture:
        """See `Codec.decompress`."""
        ...
