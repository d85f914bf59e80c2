"""`aec verify`: whether .aec files decode."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from . import batch, files, names, options
from .names import Task
from .work import Outcome

if TYPE_CHECKING:
    from ..interface import Progress

EXAMPLES = """\b
Examples:
  aec verify photo.aec
  aec verify archive/ --jobs 2
  aec verify archive/ --json --quiet | grep failed
"""
VERB = batch.Verb("verify", "verified")

Inputs = Annotated[list[str], typer.Argument(metavar="IN...", help=".aec files and folders, or - for standard input.")]


def verify(
    inputs: Inputs,
    model: options.Model = None,
    jobs: options.Jobs = 1,
    threads: options.Threads = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Check that .aec files are whole: every checksum, every pixel. Writes nothing.

    The exit code is 0 if all files are good, 3 if one file that was named alone is not, 1 if some of many are not.
    """
    options.single_threaded_blas()
    work = Verify(options.CodecOptions(model, options.threads_of_each(threads, jobs), max_pixels))
    tasks = names.plan(inputs, None, names.Naming(names.is_aec))
    files.check_streams(tasks)
    work.codec.check_model()
    raise typer.Exit(batch.run(tasks, work, VERB, batch.Show(json, quiet, not no_progress), jobs=jobs))


@dataclass(frozen=True)
class Verify:
    """The work on one file."""

    codec: options.CodecOptions

    def __call__(self, task: Task, progress: Progress | None) -> Outcome:
        """Raises AecError and OSError."""
        started = time.perf_counter()
        data = files.read(task.source)
        picture = self.codec.codec().decompress(data, progress=progress)
        return Outcome(
            task.source,
            None,
            bytes_in=len(data),
            width=picture.width,
            height=picture.height,
            bpp=8 * len(data) / (picture.width * picture.height),
            seconds=time.perf_counter() - started,
        )
