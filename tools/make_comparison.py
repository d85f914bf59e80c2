"""Write the table of docs/comparison.md from the results in benchmarks/, so that its figures are those that were measured."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from aecodec.benchmark import bdrate  # noqa: E402

PAGE = ROOT / "docs" / "comparison.md"
BENCHMARKS = ROOT / "benchmarks"
BEGIN, END = "<!-- made by tools/make_comparison.py -->\n\n", "\n<!-- end -->"

CODECS = {
    "aecodec": ("aecodec", "aecodec-onnx"),
    "JPEG": ("jpeg", "jpeg"),
    "WebP": ("webp", "webp"),
    "JPEG XL": ("jxl", "jxl"),
    "HEIC": ("heic", "heic"),
    "AVIF": ("avif", "avif"),
    "AVIF, tuned for PSNR": ("avif-psnr", None),
    "CompressAI mbt2018-mean": ("mbt2018-mean (CompressAI, 8-bit decoded, ANS)", "mbt2018-mean"),
}
"""Label → name in the rate-distortion results or among the published curves, name in those of speed."""
METRICS = ("psnr_rgb", "ssim", "ms_ssim")


def table() -> str:
    """In Markdown."""
    head = ["", "bytes at equal PSNR", "at equal SSIM", "at equal MS-SSIM", "compress, s", "decompress, s", "memory, MiB"]
    lines = [head, ["---"] * len(head)]
    deltas, times = measured_deltas() | published_deltas(), measured_times()
    for label, (curve, timed) in CODECS.items():
        more = [f"{deltas[metric, curve]:+.0f} %".replace("-", "−") if (metric, curve) in deltas else "–" for metric in METRICS]
        lines.append([label, *(["0"] * len(METRICS) if curve == "aecodec" else more), *times.get(timed, ["–"] * 3)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def measured_deltas() -> dict[tuple[str, str], float]:
    """(metric, codec) → percent more bytes than aecodec at equal quality."""
    with (BENCHMARKS / "kodak" / "bd_rates.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["anchor"] == "aecodec"]
    return {(row["metric"], row["codec"]): float(row["bd_rate_percent"]) for row in rows}


def published_deltas() -> dict[tuple[str, str], float]:
    """The same for the curves that others published, PSNR alone."""
    ours: dict[str, Any] = json.loads((BENCHMARKS / "kodak" / "results" / "aecodec.json").read_text())["results"]
    published: dict[str, Any] = json.loads((BENCHMARKS / "published" / "kodak_published_rd.json").read_text())
    theirs = {name: published[name] for name, _ in CODECS.values() if name in published}
    lines = {name: bdrate.line(curve["bpp"], curve["psnr-rgb"]) for name, curve in theirs.items()}
    anchor = bdrate.line(ours["bpp"], ours["psnr-rgb"])
    deltas = {name: bdrate.delta(anchor, line) for name, line in lines.items()}
    return {("psnr_rgb", name): delta.rate for name, delta in deltas.items() if delta}


def measured_times() -> dict[str | None, list[str]]:
    """Codec → seconds to compress and decompress 768×512 pixels with one thread, and memory."""
    rows = json.loads((BENCHMARKS / "speed" / "images.json").read_text())["rows"]
    small = [r for r in rows if (r["width"], r["threads"]) == (768, 1)]
    return {r["codec"]: [f"{median(r['compress']):.3f}", f"{median(r['decompress']):.3f}", str(r["peak_mib"])] for r in small}


def page(text: str) -> str:
    """The page with the table of today."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    print(PAGE)
