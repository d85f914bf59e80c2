"""Image to bytes and back.

    picture ─ tiles, halo ─ g_a ─ y ─ LatentCoder ─ bytes of a tile ─ container
    container ─ bytes of a tile ─ LatentCoder ─ y_hat, with the neighbours' as halo ─ g_s ─ picture

Images are coded tile by tile. Each tile's symbols are coded on their own; the transforms see real neighbouring pixels or latents
as far as they can see at all, so the result is that of the whole image and no seam exists.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from .arrays import Mask, Pixels
from .coding import alpha
from .coding.alpha import alpha_of
from .coding.correction import Correction, Fit, as_shown, correction_of
from .coding.grid import LATENT, Grid, Region, intersection, region_inside, within
from .coding.latents import Latent, LatentCoder, LatentRows
from .coding.tile import Tile, pixels_of
from .defaults import DEFAULT_EFFORT, DEFAULT_QUALITY, DEFAULT_TILE, search_steps
from .entropy.coder import CODER_ID
from .entropy.tables import Tables
from .errors import FormatError, ModelError, UsageError
from .format import container
from .format.container import Container, Header
from .interface import Progress, Watch
from .limits import Limits
from .model.encoders import Encoder, Kind, shipped
from .model.engine import Engine, EngineName
from .model.hyper_path import HyperPath
from .model.quality import lmbda_of_level, node_weights
from .model.scale_path import ScalePath
from .model.steps import STEPS
from .model.weights import DEFAULT, Weights
from .picture.filling import fill
from .picture.imageio import Picture, as_picture
from .picture.pixels import DAMAGED_GRAY, to_8bit
from .system import need_torch

if TYPE_CHECKING:
    from .search.refine import Refiner


class Codec:
    """Compresses and decompresses with one model, which is loaded once, when it is first needed.

    Args:
        model: a weights file; the shipped one if None.
        threads: for the float networks; the engine's own choice if None. Never changes a symbol of what is decoded.
        limits: bounds on what is read.
        engine: who computes the float networks; see `make_engine`.
        encoder: what makes more of a picture than its pixels say: "denoise", "inpaint", or an encoder file of one's own. The
            files are ordinary ones.
    """

    def __init__(
        self,
        model: Path | None = None,
        *,
        threads: int | None = None,
        limits: Limits = Limits(),
        engine: EngineName | None = None,
        encoder: Kind | Path | None = None,
    ) -> None:
        self.model_path = model or DEFAULT
        self.threads = threads
        self.limits = limits
        self.engine_name = engine
        self.encoder_path = encoder if encoder is None or isinstance(encoder, Path) else shipped(encoder)

    @cached_property
    def weights(self) -> Weights:
        """The model's file, with the g_a of the encoder if there is one; raises ModelError if one is missing or broken."""
        weights = Weights.load(self.model_path)
        return Encoder.load(self.encoder_path).within(weights) if self.encoder_path else weights

    @cached_property
    def engine(self) -> Engine:
        """Who computes the float networks."""
        return make_engine(self.weights, self.engine_name, self.threads)

    @cached_property
    def latent_coder(self) -> LatentCoder:
        """The entropy path: tables and integer network of the model."""
        tensors = self.weights.tensors
        try:
            hyper, scales, tables = HyperPath(tensors), ScalePath(tensors, STEPS), Tables.load(tensors)
        except (KeyError, IndexError, ValueError) as error:
            raise ModelError(f"model {self.model_path}: not a weights file of this aecodec ({error})") from error
        return LatentCoder(self.engine, hyper, scales, tables)

    @cached_property
    def refiner(self) -> Refiner:
        """The search of compressing with an effort; raises ModelError without PyTorch."""
        need_torch("an effort above 1")
        from .search.refine import Refiner

        return Refiner(self.weights, self.latent_coder, self.threads)

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
        """A whole .aec file.

        Args:
            picture: what to compress; see `imageio` for the modes that are understood.
            quality: 0..100, in steps of 0.01.
            effort: 0..9, how long to look for more fidelity per byte: from 1 on a correction of what the decoder shows, from 2 on
                a search for better latents, which needs PyTorch. If None it is 1, or 0 with an encoder.
            missing: for the encoder that inpaints, and needed there: (H, W), true where a pixel is to be filled in.
            tile: side of a tile in pixels, a multiple of 64 up to 2048.
            check: decode the entropy-coded data again and compare before returning.
            progress: called after each tile.
            watch: called after each step of a search, and may end it; see `interface.Watch`.

        Raises:
            UsageError: quality, effort or tile is out of range, missing not of the picture's size, or effort with an encoder.
            LimitError: the picture or its metadata is larger than the limits.
        """
        picture = as_picture(picture)
        effort = effort if effort is not None else 0 if self.encoder_path else DEFAULT_EFFORT
        header = self._header(picture, quality, tile, effort)
        color = self._filled(picture.color, missing)
        grid = Grid(header.width, header.height, tile)
        level = self.weights.level(header.quality)
        gray = color.ndim == 2
        fit = Fit(lmbda_of_level(level), channels=1 if gray else 3) if effort else None
        tiles = []
        for box in grid.boxes():
            x = pixels_of(color, missing, grid, box)
            y = self.engine.run("g_a", x, node_weights(level))[0]
            inside = within(box, grid.with_halo(box))
            coded = self.latent_coder.encode(y[:, *inside], level, check)
            if fit:
                around = Tile(x, y, inside, grid.visible(box), gray)
                if search_steps(effort):
                    coded = self.refiner.improve(coded, around, level, effort, check, watch)
                x_hat = self.engine.run("g_s", around.latent(coded.latent.y_hat), node_weights(level))[0]
                around.add_to(fit, x_hat)
            tiles.append(coded.data)
            if progress:
                progress(len(tiles), grid.rows * grid.columns)
        correction = fit.solve(container.CHUNK_OVERHEAD) if fit else None
        packed_alpha = None if picture.alpha is None else alpha.compress(picture.alpha)
        packed_correction = correction.to_bytes() if correction else None
        return container.write(Container(header, tiles, packed_alpha, picture.metadata, packed_correction), self.limits)

    def decompress(
        self,
        data: bytes,
        *,
        region: Region | None = None,
        allow_partial: bool = False,
        progress: Progress | None = None,
    ) -> Picture:
        """The picture of a .aec file, or a region of it, for which only the tiles around it are decoded.

        Args:
            data: the file.
            region: x, y, width, height in pixels; the whole image if None.
            allow_partial: show damaged tiles in gray, and go without a damaged correction, instead of refusing the file.
            progress: called after each tile.

        Raises:
            FormatError: the file is damaged or not an .aec file.
            LimitError: the image is larger than the limits.
            ModelError: the file needs another model.
            UsageError: the region is not inside the image.
        """
        content = container.read(data, self.limits, allow_partial)
        header = content.header
        self._check_model(header)
        region = region_inside(region, header.width, header.height)
        plane, notes = alpha_of(content, region)
        correction, more = correction_of(content, allow_partial)
        notes += more
        color, damaged = self._synthesise(content, region, correction, allow_partial, progress)
        if damaged:
            notes.append(f"{damaged} tiles are damaged, shown gray")
        elif content.damaged and not notes:
            notes.append("the file is damaged")
        return Picture(color, plane, content.metadata, tuple(notes))

    def symbols(self, data: bytes) -> list[Latent]:
        """What the tiles of a file say before any pixel is made: the part of a file that is exact on every machine."""
        content = container.read(data, self.limits)
        self._check_model(content.header)
        grid = Grid(content.header.width, content.header.height, content.header.tile)
        level = self.weights.level(content.header.quality)
        latents = LatentRows(self.latent_coder, content.tiles, grid, level, tolerant=False)
        return [latents.decode(row, column) for row in range(grid.rows) for column in range(grid.columns)]

    def _header(self, picture: Picture, quality: float, tile: int, effort: int) -> Header:
        """The header of a file to be; raises UsageError and LimitError."""
        if not 0 <= quality <= 100:
            raise UsageError(f"quality is {quality:g}, allowed 0..100")
        if tile % container.TILE_UNIT or not container.TILE_UNIT <= tile <= container.MAX_TILE:
            raise UsageError(f"tile is {tile}, must be a multiple of {container.TILE_UNIT} up to {container.MAX_TILE}")
        search_steps(effort)  # is there such an effort?
        if effort and self.encoder_path:
            raise UsageError("an effort compares with the picture as it is; an encoder that denoises or inpaints leaves that")
        header = Header(
            picture.width,
            picture.height,
            picture.mode,
            tile,
            round(quality * 100),
            effort,
            coder=CODER_ID,
            model=self.weights.fingerprint,
        )
        container.check_limits(header, self.limits)
        return header

    def _filled(self, color: Pixels, missing: Mask | None) -> Pixels:
        """What g_a sees; raises UsageError if there is a mask where none belongs, or none where one does."""
        if self.weights.sees_missing != (missing is not None):
            raise UsageError("a mask of missing pixels goes with an encoder that inpaints, and only with it")
        if missing is None:
            return color
        if missing.shape != color.shape[:2]:
            mask, picture = (f"{shape[1]}x{shape[0]}" for shape in (missing.shape, color.shape))
            raise UsageError(f"the mask has {mask} pixels, the picture {picture}")
        return fill(color, missing)

    def _check_model(self, header: Header) -> None:
        if header.model != self.weights.fingerprint:
            raise ModelError(
                f"the file was written with model {header.model.hex()}, this is {self.weights.fingerprint.hex()}; "
                "name its weights file with --model"
            )
        if header.coder != CODER_ID:
            raise FormatError(f"header: coder is {header.coder}, this aecodec knows {CODER_ID}")

    def _synthesise(
        self,
        content: Container,
        region: Region,
        correction: Correction | None,
        allow_partial: bool,
        progress: Progress | None,
    ) -> tuple[Pixels, int]:
        """The pixels of a region, (H, W, 3) or (H, W) for gray, and how many damaged tiles are gray in them.

        Goes tile by tile; latents are held for three rows of tiles.
        """
        header = content.header
        grid = Grid(header.width, header.height, header.tile)
        level = self.weights.level(header.quality)
        x, y, width, height = region
        wanted = grid.latents_of(*region)
        gray = header.mode.startswith("L")
        out = np.full((height, width) if gray else (height, width, 3), DAMAGED_GRAY, np.uint8)
        latents = LatentRows(self.latent_coder, content.tiles, grid, level, allow_partial)
        tiles = list(grid.touching(wanted))
        for done, (row, column) in enumerate(tiles, 1):
            box = intersection(grid.box(row, column), wanted)
            around = grid.with_halo(box)
            y_hat = latents.read(around)
            if (row, column) not in latents.damaged:
                x_hat = as_shown(self.engine.run("g_s", y_hat[None], node_weights(level))[0], gray)
                top, left = LATENT * around[0], LATENT * around[1]
                rows = slice(max(LATENT * box[0], y), min(LATENT * box[2], y + height))
                columns = slice(max(LATENT * box[1], x), min(LATENT * box[3], x + width))
                shown = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
                pixels = correction.apply(x_hat, lmbda_of_level(level), *shown) if correction else x_hat[:, *shown]
                target = out[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
                target[...] = to_8bit(pixels[0] if gray else pixels.transpose(1, 2, 0))
            latents.forget_above(row - 1)
            if progress:
                progress(done, len(tiles))
        return out, len(latents.damaged)


def make_engine(weights: Weights, name: EngineName | None = None, threads: int | None = None) -> Engine:
    """The engine called ``name``; by default ONNX Runtime if the package has graphs for the sizes of the model, else PyTorch.

    Raises:
        ModelError: ONNX Runtime is asked for and has no graphs, or PyTorch is needed and not installed.
    """
    from .model.onnx_engine import OnnxEngine, has_graphs

    if name == "onnx" or (name is None and has_graphs(weights)):
        return OnnxEngine(weights, threads)

    need_torch(f"model {weights.path}: computing it with PyTorch")
    from .nets.engine import TorchEngine

    return TorchEngine(weights, threads)
