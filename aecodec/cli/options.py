"""The options that commands share, and what their texts mean."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..limits import Limits
from ..system import available_cores, need_torch
from .names import Existing

if TYPE_CHECKING:
    from ..interface import ImageCodec
    from ..model.encoders import Kind

Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="PATH", help="The result, - for standard output, or a folder for many.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace results that exist.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Leave inputs whose result exists.")]
Update = Annotated[bool, typer.Option("--update", "-u", help="Leave inputs whose result is newer, replace older results.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")]
Model = Annotated[
    str | None, typer.Option(metavar="FILE", help="Weights instead of the shipped ones, or the folder of a classic run.")
]
Metadata = Annotated[str, typer.Option(metavar="LIST", help="What to keep: all, none, or some of icc,exif,xmp.")]
MaxPixels = Annotated[int, typer.Option(min=1, metavar="N", help="Refuse larger images.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads of each process; all cores shared by default.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Files at a time, each in a process of its own.")]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON a file on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Only errors.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar.")]

MAX_PIXELS = Limits().pixels
METADATA = ("icc", "exif", "xmp")


@dataclass(frozen=True)
class CodecOptions:
    """What it takes to make a `Codec`, small enough to send to a worker."""

    model: str | None
    threads: int | None
    max_pixels: int
    encoder: Kind | Path | None = None

    @property
    def limits(self) -> Limits:
        """Of images and files."""
        return Limits(pixels=self.max_pixels)

    def codec(self) -> ImageCodec:
        """The codec of this process, made once."""
        return _codec(self)

    def check_model(self) -> None:
        """Raise ModelError once, instead of once a file."""
        _ = self.codec().weights


@lru_cache(maxsize=1)
def _codec(options: CodecOptions) -> ImageCodec:
    from ..classic.files import is_classic
    from ..codec import Codec

    path = Path(options.model) if options.model else None
    if path is None or not is_classic(path):
        return Codec(path, threads=options.threads, limits=options.limits, encoder=options.encoder)
    if options.encoder:
        raise UsageError("--denoise and --inpaint go with a model of the codec, not with a classic autoencoder")
    need_torch("a classic autoencoder")
    from ..classic.codec import ClassicCodec

    return ClassicCodec(path, threads=options.threads, limits=options.limits)


def single_threaded_blas() -> None:
    """To be called before NumPy is imported. The codec's matrix products in NumPy are small and its real work is done elsewhere.

    OpenBLAS would give them a thread for each core in each process, and those wait by spinning: 24 photographs in two workers
    on two cores took 9.4 seconds of the processor, not 4.5, and 6.6 seconds of the clock, not 3.7.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def threads_of_each(threads: int | None, jobs: int) -> int | None:
    """Threads of a worker: as asked, or its share of the cores."""
    if threads or jobs == 1:
        return threads
    return max(1, available_cores() // jobs)


def existing(force: bool, skip_existing: bool, update: bool) -> Existing:
    """The three flags as one choice; raises UsageError if there are two."""
    flags: dict[Existing, bool] = {"replace": force, "skip": skip_existing, "update": update}
    chosen = [name for name, flag in flags.items() if flag]
    if len(chosen) > 1:
        raise UsageError("--force, --skip-existing and --update exclude each other")
    return chosen[0] if chosen else "refuse"


def metadata(text: str) -> frozenset[str]:
    """The kinds to keep; raises UsageError for unknown ones."""
    if text in ("all", "none"):
        return frozenset(METADATA if text == "all" else ())
    kinds = frozenset(text.split(","))
    if unknown := kinds.difference(METADATA):
        raise UsageError(f"--metadata: {', '.join(sorted(unknown))!r} unknown, allowed all, none or some of {','.join(METADATA)}")
    return kinds
