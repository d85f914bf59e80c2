"""Compressing and decompressing pictures of 0.4, 2 and 12 megapixels, in-process: aecodec, its peers, two models of CompressAI.

    python -m benchmarks.speed.images --compressai PYTHON

Every codec × size × number of threads is a process of its own (`worker.py`), one after the other. Writes images.json and
images.md beside this; README.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import ROOT, Facts, confined, table, write_results
from benchmarks.speed.worker import COMPRESSAI, COMPRESSAI_QUALITY, Job, peer

SIZES = {"0.4": (768, 512), "2": (1664, 1216), "12": (4032, 3008)}
"""By megapixels; sides are multiples of 64, so that no codec has to pad."""

RUNS = (("0.4", 1), ("0.4", 2), ("2", 2), ("12", 2))
"""Size and threads. With one thread the large ones would take longer than all of this."""

LEFT_OUT = (("12", "avif"),)
"""What isn't worth waiting for: AVIF at speed 4 takes a minute to compress 12 megapixels."""

OURS = {"aecodec-onnx": 75, "aecodec-torch": 75}
"""The codecs of this project, and the quality, which is the default."""

PEERS = {"jpeg": 82, "jpeg2000": 53, "webp": 83, "avif": 56, "avif-6": 58, "jxl": 85, "heic": 46}
"""Peers, and qualities at which each has roughly the PSNR that aecodec has; the table shows what it was."""

PHASES = ("compress", "decompress")


def label(name: str) -> str:
    """What people read."""
    if name in COMPRESSAI:
        return f"CompressAI {name}"
    return {"aecodec-onnx": "**aecodec**", "aecodec-torch": "aecodec, PyTorch"}.get(name) or peer(name).label


def measure(job: Job, python: str) -> dict[str, Any]:
    """What the worker says about a job."""
    command = [python, "-m", "benchmarks.speed.worker", json.dumps(asdict(job))]
    with confined(job.threads) as env:
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return asdict(job) | outcome


def measurements(qualities: dict[str, float], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Rows, from small pictures to large ones; fewer if interrupted."""
    jobs = [
        (size, Job(name, quality, *SIZES[size], threads, arguments.repeat, arguments.seconds))
        for size, threads in RUNS
        for name, quality in qualities.items()
        if size in arguments.sizes and threads in arguments.threads and (size, name) not in LEFT_OUT
    ]
    try:
        for size, job in jobs:
            row = measure(job, arguments.compressai if job.codec in COMPRESSAI else sys.executable)
            seconds = ", ".join(f"{phase} {median(row[phase]):.3f} s" for phase in PHASES)
            print(f"{size} MP, {job.threads} threads, {job.codec}: {seconds}", file=sys.stderr)
            yield {"megapixels": size} | row
    except KeyboardInterrupt:
        print("interrupted: what was measured before is written", file=sys.stderr)


def tables(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table for each size and number of threads, with ratios to the first codec in it, aecodec."""
    header = ["codec", "n", "compress, s", "× aecodec", "decompress, s", "× aecodec", "bytes", "PSNR, dB", "peak memory, MiB"]
    lines: list[str] = []
    for size, threads in dict.fromkeys((row["megapixels"], row["threads"]) for row in rows):
        group = [row for row in rows if (row["megapixels"], row["threads"]) == (size, threads)]
        title = f"{size} megapixels ({group[0]['width']}×{group[0]['height']}), {threads} thread{'s' * (threads > 1)}"
        lines += ["", f"## {title}", "", *table(header, [cells(row, group[0]) for row in group])]
    return lines


def cells(row: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """A row of a table, beside that of aecodec."""
    times: list[str] = []
    for phase in PHASES:
        seconds = median(row[phase])
        times += [f"{seconds:.3f}", f"{seconds / median(ours[phase]):.2f}"]
    result = ["–", "–"] if row["bytes"] is None else [f"{row['bytes']:,}", f"{row['psnr']:.2f}"]
    return [label(row["codec"]), str(len(row["compress"])), *times, *result, str(row["peak_mib"])]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--compressai", metavar="PYTHON", help="of an environment with CompressAI")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="in megapixels")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each measurement")
    parser.add_argument("--seconds", type=float, default=8, help="after which a measurement gets no further repetition")
    arguments = parser.parse_args()
    words = ["PYTHON" if word == arguments.compressai else word for word in sys.argv[1:]]
    facts = Facts(" ".join(["python -m benchmarks.speed.images", *words]))
    qualities: dict[str, float] = {**OURS, **PEERS}
    if arguments.compressai:
        qualities |= dict.fromkeys(COMPRESSAI, COMPRESSAI_QUALITY)
    else:
        print("CompressAI's models are left out: --compressai isn't given", file=sys.stderr)
    rows = list(measurements(qualities, arguments))
    facts["medians"] = f"of n ≤ {arguments.repeat} repetitions, no further one after {arguments.seconds:g} s"
    facts |= {label(row["codec"]): f"{row['version']}: `{row['settings']}`" for row in rows}
    write_results(Path(__file__).with_suffix(""), "Seconds to compress and decompress", facts, {"rows": rows}, tables(rows))


if __name__ == "__main__":
    main()
