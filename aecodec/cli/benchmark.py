"""`aec benchmark`: aecodec and its peers over a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .messages import say


def benchmark(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of images, best ones that were never lossy.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where rows, plots and report.html go; resumed if it exists.")] = Path(
        "report"
    ),
    codecs: Annotated[str | None, typer.Option(help="Comma-separated names; all of --list-codecs by default.")] = None,
    model: Annotated[Path | None, typer.Option(help="Weights for aecodec instead of the shipped ones.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two images, three qualities, no viewer.")] = False,
    ssimulacra2: Annotated[bool, typer.Option("--ssimulacra2", help="Also SSIMULACRA 2, which doubles the time.")] = False,
    published: Annotated[Path | None, typer.Option(help="JSON of published curves to draw beside the measured ones.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Cores a process is confined to.")] = 1,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,
    list_codecs: Annotated[
        bool, typer.Option("--list-codecs", is_eager=True, callback=lambda value: _list_codecs(value), help="Show them and exit.")
    ] = False,
) -> None:
    """Rate–distortion benchmark: every codec over a folder of images, with plots and a web page.

    Ctrl-C keeps what is measured; the same command goes on from there.
    """
    options.single_threaded_blas()
    from ..benchmark.session import Options, benchmark_folder

    chosen = Options(quick=quick, ssimulacra2=ssimulacra2, published=published, jobs=jobs, threads=threads, model=model)
    outcome = benchmark_folder(folder, out, codecs, chosen, say=say, progress_bar=not no_progress)
    say(str(outcome.report if outcome.report.exists() else out))
    if not outcome.run.complete:
        raise typer.Exit(130)
    if outcome.run.failures:
        raise typer.Exit(1)


def _list_codecs(value: bool) -> None:
    if value:
        from ..benchmark.codecs import CODECS

        for codec in CODECS:
            typer.echo(f"{codec.name:12} {codec.label:16} {codec.unavailable() or codec.settings}")
        raise typer.Exit()
