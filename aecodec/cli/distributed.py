"""`aec distributed`: folders of files on a Ray cluster."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from ..defaults import DEFAULT_QUALITY
from ..errors import UsageError
from ..limits import Limits
from . import batch, options
from .compress import VERB as COMPRESS
from .decompress import VERB as DECOMPRESS
from .decompress import parse_format
from .work import Outcome

if TYPE_CHECKING:
    from ..distributed import Job, Row

EXAMPLES = """\b
Examples:
  aec distributed compress photos/ coded/
  aec distributed compress s3://bucket/photos s3://bucket/coded --address auto --workers 64
  aec distributed decompress s3://bucket/coded /mnt/shared/back --format webp
"""

app = typer.Typer(help="Compress or decompress folders on a Ray cluster.", no_args_is_help=True, rich_markup_mode=None)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="Folder that all nodes see: a path, s3://, gs://, hdfs:// ...")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Folder for the results, the same.")]
Quality = Annotated[float, typer.Option("--quality", "-q", min=0, max=100, metavar="0..100", help="More is better.")]
Address = Annotated[str | None, typer.Option(metavar="RAY", help="auto, or HOST:PORT of a cluster; this machine by default.")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes; all cores of the cluster by default.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="Cores of each process.")]


@app.command(epilog=EXAMPLES)
def compress(
    source: Source,
    target: Target,
    quality: Quality = DEFAULT_QUALITY,
    model: options.Model = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    update: options.Update = False,
    dry_run: options.DryRun = False,
    address: Address = None,
    workers: Workers = None,
    threads: Threads = 1,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Compress the images below SOURCE into the same folders below TARGET.

    Nothing is overwritten without --force; a run that was stopped goes on with --skip-existing. If some of the files fail, the
    others are done and the exit code is 1.
    """
    job = _library().compress(
        source,
        target,
        quality=quality,
        model=Path(model) if model else None,
        limits=Limits(pixels=max_pixels),
        existing=options.existing(force, skip_existing, update),
        workers=workers,
        threads=threads,
    )
    raise typer.Exit(_run(job, COMPRESS, batch.Show(json, quiet, not no_progress), address, dry_run))


@app.command(epilog=EXAMPLES)
def decompress(
    source: Source,
    target: Target,
    format: Annotated[str, typer.Option(metavar="SUFFIX", help="png, jpg, webp, tiff ...")] = "png",
    model: options.Model = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    update: options.Update = False,
    dry_run: options.DryRun = False,
    address: Address = None,
    workers: Workers = None,
    threads: Threads = 1,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Decompress the .aec files below SOURCE into the same folders below TARGET.

    Nothing is overwritten without --force; a run that was stopped goes on with --skip-existing. If some of the files fail, the
    others are done and the exit code is 1.
    """
    job = _library().decompress(
        source,
        target,
        suffix=parse_format(format),
        model=Path(model) if model else None,
        limits=Limits(pixels=max_pixels),
        existing=options.existing(force, skip_existing, update),
        workers=workers,
        threads=threads,
    )
    raise typer.Exit(_run(job, DECOMPRESS, batch.Show(json, quiet, not no_progress), address, dry_run))


def _library() -> ModuleType:
    """`aecodec.distributed`; raises UsageError if Ray isn't installed."""
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    try:
        from .. import distributed
    except ModuleNotFoundError as error:
        raise UsageError(f"aec distributed needs Ray: pip install 'aecodec[ray]' ({error})") from error
    return distributed


def _run(job: Job, verb: batch.Verb, show: batch.Show, address: str | None, dry_run: bool) -> int:
    """Connect to the cluster, or start one of this machine's cores; returns the exit code."""
    if dry_run:
        return batch.tell_plan([_outcome(row) for row in job.rows], verb, show)
    import ray

    ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    with closing(iter(job)) as rows:
        return batch.follow(map(_outcome, rows), batch.Bar(verb, len(job), show))


def _outcome(row: Row) -> Outcome:
    notes = (row["notes"],) if row["notes"] else ()
    return Outcome(**row | {"notes": notes, "exit_code": int(row["status"] == "failed")})
