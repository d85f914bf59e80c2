"""`aec decompress`: .aec files to images."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..format.container import read_header
from . import batch, files, names, options
from .names import STDIO, Task
from .work import Outcome

if TYPE_CHECKING:
    from ..coding.grid import Region
    from ..interface import Progress

EXAMPLES = """\b
Examples:
  aec decompress photo.aec                  photo.png beside it
  aec decompress photo.aec photo.jpg        another format, by its suffix
  aec decompress out/ -o back/ --jobs 2     a whole tree
  aec decompress big.aec part.png --region 4000,3000,800,600
  aec decompress photo.aec - | display -
"""
VERB = batch.Verb("decompress", "decompressed")

Inputs = Annotated[list[str], typer.Argument(metavar="IN... [OUT]", help=".aec files and folders, or - for standard input.")]


def decompress(
    inputs: Inputs,
    output: options.Output = None,
    format: Annotated[str | None, typer.Option(metavar="SUFFIX", help="png, jpg, webp, tiff ...; png by default.")] = None,
    region: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="Only this part, in pixels.")] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Show damaged tiles in gray.")] = False,
    model: options.Model = None,
    metadata: options.Metadata = "all",
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
    """Decompress .aec files into images.

    The result is a PNG beside its input unless it is given a name: by -o, or as the second of two arguments if that has the
    suffix of an image or is -; the suffix decides the format. Folders are searched for .aec files. Nothing is overwritten without
    --force. If some of many inputs fail, the others are done and the exit code is 1.
    """
    options.single_threaded_blas()
    suffix = parse_format(format) if format else ".png"
    naming = names.Naming(names.is_aec, _is_result, suffix)
    work = Decompress(
        options.CodecOptions(model, options.threads_of_each(threads, jobs), max_pixels),
        suffix if format else None,
        parse_region(region) if region else None,
        allow_partial,
        options.metadata(metadata),
    )
    tasks = names.plan(inputs, output, naming, options.existing(force, skip_existing, update))
    for task in tasks:
        work.format_of(task)
    files.check_streams(tasks, json)
    if not dry_run:
        work.codec.check_model()
    show = batch.Show(json, quiet, not no_progress)
    raise typer.Exit(batch.run(tasks, work, VERB, show, jobs=jobs, dry_run=dry_run))


def _is_result(name: str) -> bool:
    return Path(name).suffix != "" and not names.is_aec(name) and not os.path.isdir(name)


def parse_format(text: str) -> str:
    """The suffix that --format stands for; raises UsageError if nothing can be written under it."""
    from ..picture.imageio import SUFFIXES

    suffix = f".{text.lower().removeprefix('.')}"
    if suffix not in SUFFIXES:
        raise UsageError(f"--format is {text!r}, possible are {' '.join(s[1:] for s in SUFFIXES)}")
    return suffix


def parse_region(text: str) -> Region:
    """Four numbers from ``X,Y,W,H``; whether they are inside the image is the codec's to say."""
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError:
        raise UsageError(f"--region is {text!r}, must be X,Y,W,H in pixels") from None
    return x, y, width, height


@dataclass(frozen=True)
class Decompress:
    """The work on one file."""

    codec: options.CodecOptions
    suffix: str | None
    """What --format stands for."""
    region: Region | None
    allow_partial: bool
    metadata: frozenset[str]

    def format_of(self, task: Task) -> str:
        """What to write: --format, the suffix of the target, or PNG. Raises UsageError if the first two differ."""
        from ..picture.imageio import format_of_suffix

        target = Path(task.target or STDIO)
        chosen = format_of_suffix(Path(f"x{self.suffix}")) if self.suffix else None
        named = format_of_suffix(target) if target.suffix else None
        if chosen and named and chosen != named:
            raise UsageError(f"--format asks for {chosen}, the name {target} for {named}")
        return chosen or named or "PNG"

    def __call__(self, task: Task, progress: Progress | None) -> Outcome:
        """Raises AecError and OSError."""
        from ..picture.imageio import write_image

        started = time.perf_counter()
        data = files.read(task.source)
        picture = self.codec.codec().decompress(data, region=self.region, allow_partial=self.allow_partial, progress=progress)
        picture = replace(picture, metadata={k: v for k, v in picture.metadata.items() if k in self.metadata})
        with files.result(task) as file:
            left_out = write_image(picture, file, self.format_of(task))
            bytes_out = file.seek(0, os.SEEK_END)
        whole = read_header(data, self.codec.limits)
        return Outcome(
            task.source,
            task.target,
            bytes_in=len(data),
            bytes_out=bytes_out,
            width=picture.width,
            height=picture.height,
            bpp=8 * len(data) / (whole.width * whole.height),
            seconds=time.perf_counter() - started,
            notes=picture.notes + left_out,
        )
