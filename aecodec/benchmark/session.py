"""One benchmark from folder to report: what `aec benchmark` does."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..errors import UsageError
from .codecs import Codec, select
from .curves import load_published
from .optional import need
from .outputs import write_outputs
from .runner import Run, Settings, find_images, run

MODULES = ("skimage", "pytorch_msssim", "bjontegaard", "matplotlib")
"""What a run needs; better missed before it than after."""

QUICK_IMAGES = 2
QUICK_NOTE = "a quick run: two images, three qualities, all cores; BD-rates need curves of five points"


@dataclass(frozen=True)
class Options:
    """The options of `aec benchmark`."""

    quick: bool = False
    ssimulacra2: bool = False
    published: Path | None = None
    jobs: int = 1
    threads: int = 1
    model: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What was measured, and the page about it, if there is one."""

    run: Run
    report: Path


def benchmark_folder(
    folder: Path, out: Path, names: str | None, options: Options, *, say: Callable[[str], None], progress_bar: bool
) -> Outcome:
    """Measure what is missing, then write everything that follows from the rows; ``say`` gets lines for people.

    Raises:
        UsageError: no images, unknown codec, or none that can run; a library of the extra is missing.
    """
    for module in (*MODULES, "ssimulacra2") if options.ssimulacra2 else MODULES:
        need(module)
    published = load_published(options.published) if options.published else []
    codecs, missing = _available(select(names, options.model))
    sources, failures = find_images(folder)
    if options.quick:
        sources = sources[:QUICK_IMAGES]
    out.mkdir(parents=True, exist_ok=True)
    for line in missing + failures:
        say(line)
    with tqdm(unit="encode", smoothing=0.05, disable=not progress_bar) as bar:

        def progress(done: int, total: int, failure: str) -> None:
            bar.total = total
            bar.update(done - bar.n)
            if failure:
                bar.write(failure, file=sys.stderr)

        qualities = {codec.name: _steps(codec, options.quick) for codec in codecs}
        jobs = max(options.jobs, os.cpu_count() or 1) if options.quick else options.jobs
        settings = Settings(jobs, options.threads, options.ssimulacra2)
        result = run(sources, codecs, qualities, out / "rows.csv", settings, progress)
    result.failures = failures + result.failures
    say("writing plots and report")
    problems = missing + result.failures + _lossy(result) + ([QUICK_NOTE] if options.quick else [])
    crops = not options.quick and result.complete
    write_outputs(out, result, published, problems, folder.resolve().name, _command(folder, out, names, options), crops=crops)
    return Outcome(result, out / "report.html")


def _command(folder: Path, out: Path, names: str | None, options: Options) -> str:
    """The command that repeats this, with the last parts of paths: results are for other machines, too."""
    given = {
        "--codecs": names,
        "--model": options.model and options.model.name,
        "--published": options.published and options.published.name,
    }
    words = ["aec", "benchmark", folder.resolve().name, "--out", out.resolve().name]
    words += [word for option, value in given.items() if value for word in (option, value)]
    words += [flag for flag, value in {"--quick": options.quick, "--ssimulacra2": options.ssimulacra2}.items() if value]
    return shlex.join([*words, "--jobs", str(options.jobs), "--threads", str(options.threads)])


def _lossy(run: Run) -> list[str]:
    """A warning if images were compressed with loss before."""
    names = [source.name for source in run.sources if source.lossy]
    return [f"{len(names)} of {len(run.sources)} images are lossy files already, which flatters their codec"] if names else []


def _available(codecs: Sequence[Codec]) -> tuple[list[Codec], list[str]]:
    """The codecs that can run here, and a line for each that can't."""
    reasons = {codec.name: codec.unavailable() for codec in codecs}
    missing = [f"{codec.label} is left out: {reasons[codec.name]}" for codec in codecs if reasons[codec.name]]
    available = [codec for codec in codecs if not reasons[codec.name]]
    if not available:
        raise UsageError("; ".join(missing))
    return available, missing


def _steps(codec: Codec, quick: bool) -> tuple[float, ...]:
    """The qualities to measure: all, or three spread over them."""
    qualities = codec.qualities
    return qualities if not quick else tuple(qualities[len(qualities) * k // 4] for k in (1, 2, 3))
