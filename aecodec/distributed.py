"""Compress or decompress whole folders on a Ray cluster; folders of any kind that pyarrow opens: local, s3://, gs://, abfs://, hdfs://.

    for row in compress("s3://photos/2026", "s3://coded/2026", quality=60):
        print(row["source"], row["status"])

Each file is a row {source, target} of a Ray Data dataset. A worker process loads the model once, reads its inputs, writes its
results, and gives back only what became of them: no pixels pass through Ray.

A result's name follows from that of its input, and it appears whole or not at all. So a task that Ray repeats because its worker
died writes the same files again: nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import errno
import os
import re
import uuid
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from time import perf_counter
from typing import Any, Literal

import ray
from pyarrow import fs
from ray.data import DataContext, TaskPoolStrategy

from .codec import Codec
from .defaults import DEFAULT_QUALITY, DEFAULT_TILE
from .errors import AecError, UsageError
from .limits import Limits
from .picture.imageio import Picture, format_of_suffix, is_image, open_picture, write_image

Row = dict[str, Any]
"""source, target: paths below the two folders; status: done, skipped or failed; bytes_in, bytes_out, width, height; seconds;
notes: what was reduced; error: one line, why it failed."""

Existing = Literal["refuse", "replace", "skip", "update"]
"""What to do where a result exists already; "update" replaces it if it is older than its input."""

SUFFIX = ".aec"
FILES_PER_TASK = 16
"""At most. They are what is done again when a worker dies, but a task costs Ray a tenth of a second (measured)."""
TASKS_PER_WORKER = 4
"""At least, so that all end at the same time."""
DEATHS = 3
"""So many workers may die over a file. Ray by itself would try again for ever and never come to the others."""
WHOLE_OBJECTS = ("s3", "gcs", "abfs")
"""File systems on which an object appears when all of it has arrived, and renaming is copying."""


@dataclass(frozen=True)
class Place:
    """A folder on a file system that pyarrow knows."""

    filesystem: fs.FileSystem
    path: str

    @classmethod
    def parse(cls, name: str) -> Place:
        """A path or URI; raises UsageError for a URI that pyarrow doesn't know."""
        try:
            filesystem, path = fs.FileSystem.from_uri(name if "://" in name else os.path.abspath(name))
        except (ValueError, NotImplementedError) as error:
            raise UsageError(f"{name}: {error}") from error
        return cls(filesystem, path.rstrip("/") or "/")

    def exists(self) -> bool:
        """Whether there is such a folder."""
        return bool(self.filesystem.get_file_info(self.path).type == fs.FileType.Directory)

    def files(self) -> dict[str, int]:
        """Every file below, sorted, hidden ones too, with the time of its last change in ns; none if there is no folder."""
        found = self.filesystem.get_file_info(fs.FileSelector(self.path, recursive=True, allow_not_found=True))
        times = {str(PurePosixPath(info.path).relative_to(self.path)): info.mtime_ns for info in found if info.is_file}
        return dict(sorted(times.items()))

    def read(self, name: str) -> bytes:
        """The bytes of a file below; raises OSError."""
        with self.filesystem.open_input_stream(f"{self.path}/{name}") as file:
            return bytes(file.read())

    def write(self, name: str, data: bytes) -> None:
        """Make a file below, whole or not at all, in the place of an older one; raises OSError."""
        target = f"{self.path}/{name}"
        if self.filesystem.type_name in WHOLE_OBJECTS:
            self._put(target, data)
            return
        folder, _, base = target.rpartition("/")
        partial = f"{folder}/.{base}.{uuid.uuid4().hex[:8]}.partial"  # two attempts may overlap where a network is torn
        self.filesystem.create_dir(folder, recursive=True)
        try:
            self._put(partial, data)
            self.filesystem.move(partial, target)
        except BaseException:
            if self.filesystem.get_file_info(partial).is_file:
                self.filesystem.delete_file(partial)
            raise

    def sweep(self, names: Sequence[str]) -> None:
        """Remove what killed workers left of the files of these names."""
        if self.filesystem.type_name in WHOLE_OBJECTS:
            return
        ours = set(names)
        for name in self.files():
            folder, _, base = name.rpartition("/")
            partial = re.fullmatch(r"\.(.*)\.[0-9a-f]{8}\.partial", base)
            if partial and (f"{folder}/{partial[1]}" if folder else partial[1]) in ours:
                self.filesystem.delete_file(f"{self.path}/{name}")

    def _put(self, path: str, data: bytes) -> None:
        with self.filesystem.open_output_stream(path) as file:
            file.write(data)


@dataclass(frozen=True)
class Work:
    """What is done with one row, in a worker. Also good for `map` of a dataset of your own that has these two columns."""

    source: Place
    target: Place
    model: Path | None = None
    threads: int = 1
    limits: Limits = field(default_factory=Limits)

    def __call__(self, row: Row) -> Row:
        """Whatever goes wrong with a file becomes part of its row."""
        started = perf_counter()
        try:
            data = self.source.read(row["source"])
            result, picture, notes = self.convert(data, _codec(self.model, self.threads, self.limits))
            self.target.write(row["target"], result)
        except Exception as error:
            kind = "" if isinstance(error, AecError | OSError) else f"{type(error).__name__}: "
            return _row(row["source"], row["target"], "failed", seconds=perf_counter() - started, error=f"{kind}{error}")
        return _row(
            row["source"],
            row["target"],
            "done",
            bytes_in=len(data),
            bytes_out=len(result),
            width=picture.width,
            height=picture.height,
            seconds=perf_counter() - started,
            notes="; ".join(notes),
        )

    @abstractmethod
    def convert(self, data: bytes, codec: Codec) -> tuple[bytes, Picture, tuple[str, ...]]:
        """The bytes of the result, the picture, and notes on it; raises AecError."""


@dataclass(frozen=True)
class Compress(Work):
    """An image file to a .aec file."""

    quality: float = DEFAULT_QUALITY
    tile: int = DEFAULT_TILE

    def convert(self, data: bytes, codec: Codec) -> tuple[bytes, Picture, tuple[str, ...]]:
        """See `Work`."""
        picture = open_picture(BytesIO(data), self.limits)
        return codec.compress(picture, quality=self.quality, tile=self.tile), picture, picture.notes


@dataclass(frozen=True)
class Decompress(Work):
    """A .aec file to an image file."""

    format: str = "PNG"
    """Pillow's name of it."""

    def convert(self, data: bytes, codec: Codec) -> tuple[bytes, Picture, tuple[str, ...]]:
        """See `Work`."""
        picture = codec.decompress(data)
        encoded = BytesIO()
        left_out = write_image(picture, encoded, self.format)
        return encoded.getvalue(), picture, (*picture.notes, *left_out)


@dataclass(frozen=True)
class Job:
    """The files of a folder, planned. Iterating does the work: it gives every row once, with what became of it."""

    rows: Sequence[Row]
    """In the order of their names; status is "planned", or already "skipped" or "failed"."""
    work: Work
    workers: int | None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Generator[Row]:
        yield from (row for row in self.rows if row["status"] != "planned")
        try:
            yield from run([row for row in self.rows if row["status"] == "planned"], self.work, self.workers, self.work.threads)
        finally:
            self.work.target.sweep([row["target"] for row in self.rows])


def compress(
    source: str,
    target: str,
    *,
    quality: float = DEFAULT_QUALITY,
    tile: int = DEFAULT_TILE,
    model: Path | None = None,
    limits: Limits = Limits(),
    existing: Existing = "refuse",
    workers: int | None = None,
    threads: int = 1,
) -> Job:
    """A job that compresses every image below a folder into the same folders below another.

    Args:
        source: path or URI. All nodes must see the same files under it.
        target: the same; made if it is missing.
        quality: 0..100.
        tile: side of the tiles of large images.
        model: a weights file, which every node has; the shipped one if None.
        limits: of images.
        existing: what to do where a result exists already.
        workers: processes; as many as the cluster has cores for if None.
        threads: cores of each.

    Raises:
        FileNotFoundError: there is no such source.
        UsageError: a URI is not one that pyarrow knows.
    """
    work = Compress(Place.parse(source), Place.parse(target), model, threads, limits, quality, tile)
    return Job(plan(work.source, work.target, is_image, SUFFIX, existing), work, workers)


def decompress(
    source: str,
    target: str,
    *,
    suffix: str = ".png",
    model: Path | None = None,
    limits: Limits = Limits(),
    existing: Existing = "refuse",
    workers: int | None = None,
    threads: int = 1,
) -> Job:
    """A job that decompresses every .aec file below a folder into images of a suffix.

    The other arguments and errors are those of `compress`; UsageError, too, if nothing can be written under the suffix.
    """
    work = Decompress(Place.parse(source), Place.parse(target), model, threads, limits, format_of_suffix(Path(f"x{suffix}")))
    return Job(plan(work.source, work.target, lambda name: name.lower().endswith(SUFFIX), suffix, existing), work, workers)


def plan(source: Place, target: Place, is_input: Callable[[str], bool], suffix: str, existing: Existing) -> list[Row]:
    """A row for every input. Hidden files and folders are left out."""
    if not source.exists():
        raise FileNotFoundError(errno.ENOENT, "no such folder", source.path)
    there = target.files()
    claimed: dict[str, str] = {}
    rows = []
    for name, changed in source.files().items():
        if not is_input(name) or any(part.startswith(".") for part in name.split("/")):
            continue
        result = str(PurePosixPath(name).with_suffix(suffix))
        first = claimed.setdefault(result, name)
        if first != name:
            rows.append(_row(name, result, "failed", error=f"{result} is already the result of {first}"))
        elif result in there and existing == "refuse":
            rows.append(_row(name, result, "failed", error=f"{result} exists"))
        elif result in there and existing == "skip":
            rows.append(_row(name, result, "skipped", notes="exists"))
        elif result in there and existing == "update" and there[result] >= changed:
            rows.append(_row(name, result, "skipped", notes="up to date"))
        else:
            rows.append(_row(name, result, "planned"))
    return rows


def run(rows: Sequence[Row], work: Callable[[Row], Row], workers: int | None = None, threads: int = 1) -> Generator[Row]:
    """Do rows on the cluster that Ray is connected to, or on this machine; gives each once, as it is done."""
    if not rows:
        return
    if not ray.is_initialized():
        ray.init()
    workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
    tasks = max(-(-len(rows) // FILES_PER_TASK), min(len(rows), TASKS_PER_WORKER * workers))
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    with DataContext.current(context):
        dataset = ray.data.from_items(list(rows), override_num_blocks=tasks)
    deaths = ray.remote(num_cpus=0)(_Deaths).remote()
    yield from dataset.map(_Watched(work, deaths), compute=TaskPoolStrategy(workers), num_cpus=threads).iter_rows()


class _Deaths:
    """An actor that knows over which files workers died: those that were begun and never ended."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()

    def begin(self, source: str) -> int:
        """How many workers died over a file so far."""
        self.open[source] += 1
        return self.open[source] - 1

    def end(self, source: str) -> None:
        """A worker survived it."""
        del self.open[source]


@dataclass(frozen=True)
class _Watched:
    """Work that gives up on a file that kills its workers."""

    work: Callable[[Row], Row]
    deaths: Any

    def __call__(self, row: Row) -> Row:
        died = ray.get(self.deaths.begin.remote(row["source"]))
        done = self.work(row) if died < DEATHS else {**row, "status": "failed", "error": f"{died} worker processes died over it"}
        self.deaths.end.remote(row["source"])
        return done


def _row(
    source: str,
    target: str,
    status: str,
    *,
    bytes_in: int = 0,
    bytes_out: int = 0,
    width: int = 0,
    height: int = 0,
    seconds: float = 0.0,
    notes: str = "",
    error: str = "",
) -> Row:
    """A row with all of its columns, which Ray wants to be the same in all of them."""
    return dict(locals())


@lru_cache(maxsize=1)
def _codec(model: Path | None, threads: int, limits: Limits) -> Codec:
    """That of this worker: tasks follow each other in one process."""
    return Codec(model, threads=threads, limits=limits)
