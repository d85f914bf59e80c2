"""Classic autoencoders as codecs: an image of the model's size to a .aec file, its code quantised and entropy-coded, and back.

    picture ─ encoder ─ code ─ grid ─ symbols ─ range coder, a table for each channel ─ the one tile of a container

It takes the part of `aecodec.codec.Codec` on the command line when --model is a classic autoencoder. Decoding is exact as far as
the symbols; pixels come from float networks and may differ by one level from machine to machine.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ..arrays import Mask, Pixels
from ..coding import alpha
from ..coding.alpha import alpha_of
from ..coding.grid import Region, region_inside
from ..defaults import DEFAULT_QUALITY, DEFAULT_TILE
from ..entropy.coder import Decoder, Encoder, Models
from ..errors import FormatError, ModelError, UsageError
from ..format import container
from ..format.container import Container, Header
from ..interface import Progress, Watch
from ..limits import Limits
from ..picture.imageio import Picture, as_picture
from ..picture.pixels import DAMAGED_GRAY, to_8bit
from .codes import Integers
from .images import to_floats
from .model import TrainedModel

CODER_ID = 2
"""The range coder of coder 1, with the tables of `CodeGrid` for each channel of the code."""


class ClassicCodec:
    """Compresses and decompresses with one classic autoencoder, which is loaded when it is first needed.

    Args:
        model: its file, or the folder of its run.
        threads: for the networks; as torch has it if None.
        limits: bounds on what is read.
    """

    def __init__(self, model: Path, *, threads: int | None = None, limits: Limits = Limits()) -> None:
        self.model_path, self.limits = model, limits
        self._made: dict[int, Models] = {}
        if threads is not None:
            torch.set_num_threads(threads)

    @cached_property
    def weights(self) -> TrainedModel:
        """The model; raises ModelError if it is missing or broken."""
        return TrainedModel.load(self.model_path)

    def compress(
        self,
        picture: Picture | Image.Image | npt.NDArray[np.generic],
        *,
        quality: float = DEFAULT_QUALITY,
        effort: int | None = None,
        missing: Mask | None = None,
        tile: int = DEFAULT_TILE,
        check: bool = True,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> bytes:
        """A whole .aec file of a picture in the model's size; otherwise as `Codec.compress`, whole qualities only.

        Raises:
            UsageError: quality is out of range, an effort is asked for, pixels are missing, or the picture has another size or
                colors than the model.
        """
        picture = as_picture(picture)
        if effort:
            raise UsageError(f"effort is {effort}; with a classic autoencoder there is nothing to search")
        if missing is not None:
            raise UsageError("a mask of missing pixels goes with an encoder that inpaints, not with a classic autoencoder")
        if not 0 <= quality <= 100:
            raise UsageError(f"quality is {quality:g}, allowed 0..100")
        header = Header(
            picture.width,
            picture.height,
            picture.mode,
            tile,
            round(quality * 100),
            effort=0,
            coder=CODER_ID,
            model=self.weights.fingerprint,
        )
        container.check_limits(header, self.limits)
        self._check_picture(header)
        symbols = self._quantise(picture.color, header)
        encoder = Encoder(self._models(header))
        encoder.channels(symbols)
        data = encoder.finish()
        if check and not np.array_equal(self._symbols(data, header), symbols):
            raise FormatError("the entropy-coded data does not decode to what was encoded; nothing was written")
        if progress:
            progress(1, 1)
        packed_alpha = None if picture.alpha is None else alpha.compress(picture.alpha)
        return container.write(Container(header, [data], packed_alpha, picture.metadata), self.limits)

    def decompress(
        self,
        data: bytes,
        *,
        region: Region | None = None,
        allow_partial: bool = False,
        progress: Progress | None = None,
    ) -> Picture:
        """The picture of a .aec file, or a region of it; arguments and errors as of `Codec.decompress`."""
        content = container.read(data, self.limits, allow_partial)
        self._check_header(content.header)
        if content.correction is not None:
            raise FormatError("correction: a classic autoencoder knows none")
        region = region_inside(region, content.header.width, content.header.height)
        plane, notes = alpha_of(content, region)
        try:
            color = self._synthesise(content)
        except FormatError:
            if not allow_partial:
                raise
            shape = (content.header.height, content.header.width, *([] if content.header.mode.startswith("L") else [3]))
            color = np.full(shape, DAMAGED_GRAY, np.uint8)
            notes.append("the image is damaged, shown gray")
        if progress:
            progress(1, 1)
        x, y, width, height = region
        return Picture(color[y : y + height, x : x + width], plane, content.metadata, tuple(notes))

    def _check_picture(self, header: Header) -> None:
        """Raise UsageError if the model can't code such a picture."""
        channels, height, width = self.weights.model.shape
        if (header.width, header.height) != (width, height):
            raise UsageError(f"{header.width}x{header.height} pixels, this model codes images of {width}x{height}")
        if channels == 1 and not header.mode.startswith("L"):
            raise UsageError(f"the mode is {header.mode}, this model codes gray images")
        if header.tiles > 1:
            raise UsageError(f"tile is {header.tile}, this model codes images of {width}x{height} as one")

    def _check_header(self, header: Header) -> None:
        """Raise ModelError if the file needs another model, FormatError if it can't be one of this model's."""
        fingerprint = self.weights.fingerprint
        if header.model != fingerprint:
            raise ModelError(
                f"the file was written with model {header.model.hex()}, this is {fingerprint.hex()}; name its file with --model"
            )
        if header.coder != CODER_ID:
            raise FormatError(f"header: coder is {header.coder}, classic models have {CODER_ID}")
        try:
            self._check_picture(header)
        except UsageError as error:
            raise FormatError(f"header: {error}") from error

    def _models(self, header: Header) -> Models:
        """The tables of the header's quality, made once."""
        level = _level(header)
        if level not in self._made:
            self._made[level] = Models(self.weights.grid.tables(level))
        return self._made[level]

    @torch.no_grad()
    def _quantise(self, color: Pixels, header: Header) -> Integers:
        """The symbols (channels of the code, positions) of a picture; gray is repeated where the model has colors."""
        model = self.weights.model
        planes = np.broadcast_to(color.reshape(*color.shape[:2], -1), (*color.shape[:2], model.shape[0]))
        x = torch.from_numpy(planes.transpose(2, 0, 1)[None].copy())
        code = model.encoder(to_floats(x))[0].contiguous().numpy()
        return self.weights.grid.quantise(code.reshape(len(code), -1), _level(header))

    def _symbols(self, data: bytes, header: Header) -> Integers:
        """The inverse of entropy coding; raises FormatError."""
        _, *positions = self.weights.model.code_shape
        decoder = Decoder(self._models(header), data)
        symbols = decoder.channels(math.prod(positions))
        decoder.finish()
        return symbols

    @torch.no_grad()
    def _synthesise(self, content: Container) -> Pixels:
        """The pixels (H, W, 3) or (H, W); raises FormatError."""
        header, model = content.header, self.weights.model
        if content.tiles[0] is None:
            raise FormatError("tile: its checksum does not match")
        symbols = self._symbols(content.tiles[0], header)
        code = torch.from_numpy(self.weights.grid.dequantise(symbols, _level(header)))
        x_hat = model.decode(code.reshape(1, *model.code_shape))[0].numpy()
        return to_8bit(x_hat.mean(0) if header.mode.startswith("L") else x_hat.transpose(1, 2, 0))


def _level(header: Header) -> int:
    """The whole quality 0..100 that the grid knows. NORMATIVE."""
    return (header.quality + 50) // 100
