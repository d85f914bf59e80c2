"""Measures what isn't measured yet: every image with every codec at every quality, in processes.

The unit of work is one encode and decode. Its row is in the file before the next is asked for, so a run that is interrupted
or killed has lost seconds, and the same command goes on where it ended.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from multiprocessing import Queue, get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import AecError, UsageError
from . import rows as store
from .codecs import Codec, Pixels
from .metrics import MS_SSIM_SIDE, SSIM_SIDE, measure
from .rows import Key, Row

SUFFIXES = {".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg", ".avif", ".jp2"}
LOSSY = {"JPEG", "MPO", "AVIF"}


@dataclass(frozen=True)
class Source:
    """An image of the folder."""

    name: str
    path: Path
    sha256: str
    width: int
    height: int
    lossy: bool  # its file was compressed with loss before: results favour the codec that did


@dataclass(frozen=True)
class Settings:
    """How a run measures; what it measures is given by images and codecs."""

    jobs: int = 1
    threads: int = 1
    ssimulacra2: bool = False


@dataclass(frozen=True)
class Task:
    """One encode and decode."""

    source: Source
    codec: Codec
    quality: float


@dataclass
class Run:
    """What came out: the rows that belong to the images and codecs asked for, and what went wrong."""

    sources: list[Source]
    codecs: list[Codec]
    qualities: dict[str, tuple[float, ...]]
    rows: dict[Key, Row] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    complete: bool = False


def read(path: Path) -> Pixels:
    """An image as RGB, upright; alpha is dropped."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def find_images(folder: Path) -> tuple[list[Source], list[str]]:
    """The images of a folder, sorted by name, and a line for each file that isn't one though its name says so.

    Raises:
        UsageError: the folder holds no image that can be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    sources, failures = [], []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        try:
            height, width, _ = read(path).shape
            with Image.open(path) as image:
                lossy = image.format in LOSSY
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error)
            failures.append(f"{path.name} is skipped: {reason}")
            continue
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        sources.append(Source(path.name, path, sha256, width, height, lossy))
    if not sources:
        raise UsageError(f"{folder} holds no image that can be read" + "".join(f"; {line}" for line in failures))
    return sources, failures


def run(
    sources: Sequence[Source],
    codecs: Sequence[Codec],
    qualities: dict[str, tuple[float, ...]],
    path: Path,
    settings: Settings,
    progress: Callable[[int, int, str], None],
) -> Run:
    """Measure what the CSV at ``path`` lacks; ``progress`` gets (done, in all, line about a failure or "").

    An interrupt (Ctrl-C) ends the run early: what is returned is valid and says ``complete=False``.
    """
    versions = {codec.name: codec.version() for codec in codecs}
    known = store.load(path)
    store.save(path, known.values())  # a half-written last line, if any, is gone now
    tasks = [Task(source, codec, quality) for source in sources for codec in codecs for quality in qualities[codec.name]]
    result = Run(list(sources), list(codecs), qualities)
    for task in tasks:
        row = known.get((task.source.name, task.codec.name, task.quality))
        if row and is_current(row, task, versions[task.codec.name], settings):
            result.rows[row.key] = row
    todo = [task for task in tasks if (task.source.name, task.codec.name, task.quality) not in result.rows]
    try:
        _measure(todo, versions, path, settings, result, progress)
        result.complete = True
    except KeyboardInterrupt:
        result.failures.append("the run was interrupted; the same command continues it")
    store.save(path, (store.load(path) | result.rows).values())
    return result


def is_current(row: Row, task: Task, version: str, settings: Settings) -> bool:
    """Whether a row measures exactly what the task would, with every metric that is asked for."""
    side = min(row.width, row.height)
    measured = (row.ssim is not None or side < SSIM_SIDE) and (row.ms_ssim is not None or side < MS_SSIM_SIDE)
    measured = measured and (row.ssimulacra2 is not None or not settings.ssimulacra2)
    same = (row.image_sha256, row.settings, row.version, row.threads) == (
        task.source.sha256,
        task.codec.settings,
        version,
        settings.threads,
    )
    return measured and same


def _measure(
    todo: Sequence[Task],
    versions: dict[str, str],
    path: Path,
    settings: Settings,
    result: Run,
    progress: Callable[[int, int, str], None],
) -> None:
    """Do the tasks in processes and note their rows as they come."""
    context = get_context("spawn")
    cores: Queue[set[int]] = context.Queue()
    for group in core_groups(settings.jobs, settings.threads):
        cores.put(group)
    progress(0, len(todo), "")
    pool = ProcessPoolExecutor(settings.jobs, context, _confine, (cores, settings.threads))
    try:
        futures = [pool.submit(measure_one, task, versions[task.codec.name], settings) for task in todo]
        for done, future in enumerate(as_completed(futures), 1):
            outcome = future.result()
            if isinstance(outcome, Row):
                store.append(path, outcome)
                result.rows[outcome.key] = outcome
            else:
                result.failures.append(outcome)
            progress(done, len(todo), outcome if isinstance(outcome, str) else "")
    except BrokenProcessPool as error:
        raise AecError("a worker process died (out of memory?); what was measured is kept: try fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def core_groups(jobs: int, threads: int) -> list[set[int]]:
    """``threads`` cores for each worker, distinct as far as they go; empty sets where a process can't be confined."""
    if not hasattr(os, "sched_getaffinity"):
        return [set() for _ in range(jobs)]
    cores = sorted(os.sched_getaffinity(0))
    return [{cores[(job * threads + index) % len(cores)] for index in range(threads)} for job in range(jobs)]


def _confine(cores: Queue[set[int]], threads: int) -> None:
    """Start of a worker: codecs have threads that no option reaches, so the kernel keeps all of them on ``threads`` cores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # die quietly: the parent tells the story
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for torch, where there is no affinity
    group = cores.get()
    if group:
        os.sched_setaffinity(0, group)


@lru_cache(maxsize=1)
def _pixels(path: Path) -> Pixels:
    return read(path)


@cache
def _warm(codec: Codec) -> None:
    """Import plugins and load models before anything is timed."""
    codec.decode(codec.encode(np.zeros((64, 64, 3), np.uint8), codec.qualities[0]))


def measure_one(task: Task, version: str, settings: Settings) -> Row | str:
    """One encode and decode with all metrics; a line saying what failed instead of an exception that would end the run."""
    source, codec = task.source, task.codec
    try:
        x = _pixels(source.path)
        _warm(codec)
        begin = time.process_time()
        data = codec.encode(x, task.quality)
        middle = time.process_time()
        x_hat = codec.decode(data)
        end = time.process_time()
        if x_hat.shape != x.shape:
            raise ValueError(f"decoded to {x_hat.shape}, was {x.shape}")
        values = measure(x, x_hat, ssimulacra2=settings.ssimulacra2)
    except Exception as error:  # whatever a codec does, the other measurements go on
        return f"{source.name}, {codec.name} at quality {task.quality:g}: {type(error).__name__}: {error}"
    return Row(
        image=source.name,
        image_sha256=source.sha256,
        width=source.width,
        height=source.height,
        codec=codec.name,
        settings=codec.settings,
        version=version,
        quality=float(task.quality),
        bytes=len(data),
        bpp=len(data) * 8 / (source.width * source.height),
        **values,  # type: ignore[arg-type]
        encode_s=middle - begin,
        decode_s=end - middle,
        threads=settings.threads,
        machine=store.machine(),
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
    )
