"""`aec compress`: images to .aec files."""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ..defaults import DEFAULT_QUALITY, DEFAULT_TILE, MAX_EFFORT, search_steps
from ..errors import UsageError
from ..format.container import MAX_TILE, TILE_UNIT
from . import batch, files, names, options
from .names import Task
from .signals import first_interrupt
from .work import Outcome, Report

if TYPE_CHECKING:
    from ..interface import Found, ImageCodec
    from ..limits import Limits
    from ..model.encoders import Kind
    from ..picture.imageio import Picture
    from ..search.target import Target

EXAMPLES = """\b
Examples:
  aec compress photo.png                    photo.aec beside it
  aec compress -q 50 photo.png small.aec    smaller, under another name
  aec compress --target-size 40KB photo.png the best that fits
  aec compress --effort 5 photo.png         more fidelity per byte, in some seconds
  aec compress --denoise night.jpg          smaller and cleaner
  aec compress photos/ scan.tif -o out/     a whole tree, mirrored into out/
  convert x.nef png:- | aec compress - > x.aec
"""
EQUAL = 100.0
"""PSNR in dB of a result without any difference, where infinity would spoil means and JSON."""
INTERRUPTED = "interrupted, the best that was found so far is written"

VERB = batch.Verb("compress", "compressed", shrinks=True)

Inputs = Annotated[list[str], typer.Argument(metavar="IN... [OUT]", help="Images and folders, or - for standard input.")]


def compress(
    inputs: Inputs,
    output: options.Output = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "--quality", "-q", min=0, max=100, metavar="0..100", help=f"More is better; {DEFAULT_QUALITY:g} by default."
        ),
    ] = None,
    target_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Instead of a quality: the best file of at most 40KB, 1.5MB, 300KiB ...")
    ] = None,
    target_bpp: Annotated[float | None, typer.Option(min=0, metavar="BPP", help="The file of so many bits per pixel.")] = None,
    target_psnr: Annotated[float | None, typer.Option(min=0, metavar="DB", help="The smallest file of that PSNR.")] = None,
    effort: Annotated[
        int | None,
        typer.Option(
            "--effort",
            "-e",
            min=0,
            max=MAX_EFFORT,
            metavar=f"0..{MAX_EFFORT}",
            help="Look for more fidelity per byte: from 1 on (the default) by a correction, from 2 on by a search, which "
            "needs PyTorch and takes longer with every step.",
        ),
    ] = None,
    denoise: Annotated[bool, typer.Option("--denoise", help="Leave out noise: the file shows the picture without it.")] = False,
    inpaint: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK",
            exists=True,
            dir_okay=False,
            help="Fill in what is white in this image, which is as large as the input.",
        ),
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Denoise or inpaint with this encoder instead of the shipped one.")
    ] = None,
    model: options.Model = None,
    metadata: options.Metadata = "all",
    tile: Annotated[
        int, typer.Option(metavar="N", help=f"Side of the tiles of large images: 64, 128 ... {MAX_TILE}.")
    ] = DEFAULT_TILE,
    no_check: Annotated[bool, typer.Option("--no-check", help="Don't decode what was coded to compare it.")] = False,
    psnr: Annotated[bool, typer.Option("--psnr", help="Decode each result again and say its PSNR.")] = False,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    update: options.Update = False,
    dry_run: options.DryRun = False,
    jobs: options.Jobs = 1,
    threads: options.Threads = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Compress images into .aec files.

    The result lies beside its input unless it is given a name: by -o, or as the second of two arguments if that ends in .aec
    or is -. Folders are searched for images. Gray stays gray, alpha is kept without loss, ICC, EXIF and XMP are kept. Nothing is
    overwritten without --force. If some of many inputs fail, the others are done and the exit code is 1.

    --effort 0 is one pass of the encoder. 1 decodes the picture and sends a small filter that brings it nearer to the original:
    files that are 2 % smaller at equal fidelity, in twice the time. Higher efforts search for 2 % more in seconds; Ctrl-C then
    writes the best that is found so far.
    """
    options.single_threaded_blas()
    if tile % TILE_UNIT or not TILE_UNIT <= tile <= MAX_TILE:
        raise UsageError(f"--tile is {tile}, must be a multiple of {TILE_UNIT} up to {MAX_TILE}")
    from ..picture.imageio import is_image

    naming = names.Naming(is_image, names.is_aec, names.SUFFIX)
    work = Compress(
        options.CodecOptions(model, options.threads_of_each(threads, jobs), max_pixels, _encoder(denoise, inpaint, encoder)),
        DEFAULT_QUALITY if quality is None else quality,
        _target(quality, target_size, target_bpp, target_psnr),
        effort,
        tile,
        not no_check,
        options.metadata(metadata),
        inpaint,
        psnr,
    )
    if (effort or psnr) and work.codec.encoder:
        option = "--effort" if effort else "--psnr"
        raise UsageError(f"{option} compares with the picture as it is, which --denoise and --inpaint leave")
    if work.target and work.codec.encoder and (inpaint or target_psnr is not None):
        raise UsageError("with --inpaint or --denoise there is no PSNR to aim at, with --inpaint no size either")
    tasks = names.plan(inputs, output, naming, options.existing(force, skip_existing, update))
    files.check_streams(tasks, json)
    if not dry_run:
        work.codec.check_model()
    show = batch.Show(json, quiet, not no_progress)
    raise typer.Exit(batch.run(tasks, work, VERB, show, jobs=jobs, dry_run=dry_run))


@dataclass(frozen=True)
class Compress:
    """The work on one file."""

    codec: options.CodecOptions
    quality: float
    target: Target | None
    effort: int | None
    tile: int
    check: bool
    metadata: frozenset[str]
    mask: Path | None
    psnr: bool

    def __call__(self, task: Task, report: Report | None) -> Outcome:
        """Raises AecError and OSError."""
        started = time.perf_counter()
        with files.seekable(task.source) as source:
            bytes_in = source.seek(0, os.SEEK_END)
            picture = _open(source, self.codec.limits)
        picture = replace(picture, metadata={k: v for k, v in picture.metadata.items() if k in self.metadata})
        with first_interrupt(self._searches) as interrupted:
            data = self._compress(self.codec.codec(), picture, report, interrupted)
        psnr = self._psnr(data, picture) if self.psnr else None
        with files.result(task) as file:
            file.write(data)
        return Outcome(
            task.source,
            task.target,
            bytes_in=bytes_in,
            bytes_out=len(data),
            width=picture.width,
            height=picture.height,
            bpp=8 * len(data) / (picture.width * picture.height),
            psnr=psnr,
            seconds=time.perf_counter() - started,
            notes=(*picture.notes, *([INTERRUPTED] if interrupted() else [])),
            interrupted=interrupted(),
        )

    def _compress(self, codec: ImageCodec, picture: Picture, report: Report | None, interrupted: Callable[[], bool]) -> bytes:
        tiles = 0
        all_tiles = math.ceil(picture.width / self.tile) * math.ceil(picture.height / self.tile)

        def progress(done: int, total: int) -> None:
            nonlocal tiles
            tiles = done % total  # a search for a target begins again
            if report and not self._searches:
                report(done, total)

        def watch(found: Found) -> bool:
            if report:
                done = tiles * found.steps + found.step
                report(done, all_tiles * found.steps, f"{found.bpp:.3f} bpp, {found.psnr:.2f} dB")
            return interrupted()

        if self.target is None:
            from ..picture.filling import read_mask

            return codec.compress(
                picture,
                quality=self.quality,
                effort=self.effort,
                missing=read_mask(self.mask) if self.mask else None,
                tile=self.tile,
                check=self.check,
                progress=progress,
                watch=watch,
            )
        from ..search.target import compress_to

        return compress_to(
            codec, picture, self.target, effort=self.effort, tile=self.tile, check=self.check, progress=progress, watch=watch
        )

    @property
    def _searches(self) -> bool:
        return search_steps(self.effort) > 0

    def _psnr(self, data: bytes, picture: Picture) -> float:
        """In dB, at most `EQUAL`."""
        from ..search.target import psnr

        return min(psnr(picture.color, self.codec.codec().decompress(data).color), EQUAL)


def _open(source: BinaryIO, limits: Limits) -> Picture:
    """Read an image by our limits alone, and without what Pillow has to say of odd files beside its errors."""
    from PIL import Image

    from ..picture.imageio import open_picture

    Image.MAX_IMAGE_PIXELS = None
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_picture(source, limits)


def _encoder(denoise: bool, mask: Path | None, own: Path | None) -> Kind | Path | None:
    """The encoder that is asked for, if any; raises UsageError if there are two."""
    if denoise and mask:
        raise UsageError("--denoise and --inpaint exclude each other")
    return own or ("denoise" if denoise else "inpaint" if mask else None)


def _target(quality: float | None, size: str | None, bpp: float | None, psnr: float | None) -> Target | None:
    """The one target that is asked for, if any; raises UsageError if there are two, or a quality as well."""
    asked = {"--quality": quality, "--target-size": size, "--target-bpp": bpp, "--target-psnr": psnr}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other")
    if size is None and bpp is None and psnr is None:
        return None
    from ..search.target import Target, parse_size

    if size is not None:
        return Target("size", parse_size(size))
    return Target("bpp", bpp) if bpp is not None else Target("psnr", psnr or 0)
