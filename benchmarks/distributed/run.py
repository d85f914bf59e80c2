"""A folder of images on a local Ray cluster of two processes, beside one process; then again, with a worker killed in the middle.

    python -m benchmarks.distributed.run FOLDER [--images 500] [--side 512]

The images are copies of those in FOLDER, at most SIDE pixels a side, as JPEG files in a temporary folder. Writes run.json
and run.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import ray
from PIL import Image

from aecodec.distributed import Job, compress
from aecodec.picture.imageio import is_image
from benchmarks.measure import Facts, run, table, write_results

WORKERS = 2
OBJECT_STORE = 100 << 20


def copies(source: Path, target: Path, count: int, side: int) -> int:
    """Write the copies into ten folders; returns the megapixels of all."""
    pixels = 0
    for number, path in enumerate(sorted(filter(lambda path: is_image(path.name), source.rglob("*")))[:count]):
        image = Image.open(path).convert("RGB")
        image.thumbnail((side, side))
        file = target / f"{number % 10}" / f"{number:04d} {path.stem}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, quality=95)
        pixels += image.width * image.height
    return pixels // 1_000_000


def run_job(job: Job, kill_after: int | None = None) -> tuple[list[dict[str, object]], float]:
    """The rows, and seconds from start to end; kills a worker after so many."""
    rows: list[dict[str, object]] = []
    started = perf_counter()
    for row in job:
        rows.append(row)
        if len(rows) == kill_after:
            os.kill(workers()[0], signal.SIGKILL)
    return rows, perf_counter() - started


def workers() -> list[int]:
    """Processes of Ray that are doing a task, by the name that it gives them."""
    names = {int(entry.name): (entry / "cmdline") for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    return [pid for pid, name in names.items() if name.exists() and name.read_bytes().startswith(b"ray::Map(")]


def contents(folder: Path) -> dict[str, bytes]:
    """Everything below, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    """Measure and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    facts = Facts(f"python -m benchmarks.distributed.run FOLDER --images {options.images} --side {options.side}")
    facts["ray"] = ray.__version__
    with TemporaryDirectory() as temporary:
        base = Path(temporary)
        megapixels = copies(options.folder, base / "in", options.images, options.side)
        facts["images"] = f"{options.images}, {megapixels} megapixels"
        aec = Path(sys.executable).parent / "aec"
        command = [aec, "compress", base / "in", "-o", base / "one", "--threads", "1"]
        alone = run(command, os.environ | {"OMP_NUM_THREADS": "1"}).seconds
        started = perf_counter()
        os.environ.update(RAY_worker_niceness="0")  # by itself 15: workers would stand back behind whatever else runs
        ray.init(num_cpus=WORKERS, object_store_memory=OBJECT_STORE, include_dashboard=False, logging_level="ERROR")
        first, _ = run_job(compress(str(base / "in" / "0"), str(base / "first"), workers=WORKERS))
        start = perf_counter() - started
        calm, calm_seconds = run_job(compress(str(base / "in"), str(base / "two"), workers=WORKERS))
        killed = compress(str(base / "in"), str(base / "killed"), workers=WORKERS)
        rough, rough_seconds = run_job(killed, kill_after=options.images // 2)
        ray.shutdown()
        expected = contents(base / "one")
        for rows, folder in ((calm, "two"), (rough, "killed")):
            if sorted(str(row["target"]) for row in rows) != sorted(expected) or {row["status"] for row in rows} != {"done"}:
                raise SystemExit(f"{folder}: {len(rows)} rows for {len(expected)} files")
            if contents(base / folder) != expected:
                raise SystemExit(f"{folder}: not the files that one process writes")
    lines = {
        "one process, from start to exit": (alone, len(expected)),
        "start of Ray and of its workers, with the first files": (start, len(first)),
        f"{WORKERS} workers": (calm_seconds, len(calm)),
        f"{WORKERS} workers, one killed after {options.images // 2} files": (rough_seconds, len(rough)),
    }
    rows = [[name, files, f"{seconds:.1f}", f"{files / seconds:.1f}"] for name, (seconds, files) in lines.items()]
    header = ["", "files", "seconds", "files a second"]
    facts["checked"] = "each input has one row and one result, byte for byte that of one process; no other files are left"
    stem = Path(__file__).with_name("run")
    write_results(
        stem, "Many files on Ray", facts, {"rows": [dict(zip(header, row, strict=True)) for row in rows]}, table(header, rows)
    )


if __name__ == "__main__":
    main()
