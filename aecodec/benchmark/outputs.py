"""Everything that follows from the rows of a run: results in CompressAI's schema, BD-rates, plots, page, and how it was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..atomic import write_text
from .bdrate import Delta, table
from .crops import crops as crop_tasks
from .curves import Curve, Measured, compressai, measured_curves
from .metrics import METRICS
from .optional import version_of
from .plots import write_plots
from .report import write_report
from .report.data import lines_of, page_data
from .runner import Run

SHOWN = ("VTM", "elic2022_mse (paper)", "mbt2018-mean (paper)", "bmshj2018-hyperprior (paper)")
"""Published curves that are drawn from the start, if the file has them; the page offers the others."""

LIBRARIES = ("pillow", "numpy", "scikit-image", "pytorch-msssim", "torch", "ssimulacra2", "bjontegaard")


def write_outputs(
    out: Path, run: Run, published: Sequence[Curve], problems: Sequence[str], folder: str, command: str, *, crops: bool
) -> None:
    """Write all of it into ``out``. Without a single image that all codecs have finished there is only run.json."""
    measured, images = measured_curves(run)
    absent = [codec.label for codec in run.codecs if codec.name not in {m.codec.name for m in measured}]
    problems = [*problems, *(f"{label}: no image is complete yet" for label in absent)]
    if images and len(images) < len(run.sources):
        problems.append(f"means are over {len(images)} of {len(run.sources)} images: those that all codecs have finished")
    facts = _facts(run, images, problems, folder, command)
    write_text(out / "run.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    if not measured:
        return
    hero, anchor = hero_and_anchor(measured)
    psnr = table(lines_of({m.codec.name: m.curve for m in measured}, METRICS[0]))
    shown = [curve for curve in published if curve.name in SHOWN] or list(published[:4])
    (out / "results").mkdir(exist_ok=True)
    for m in measured:
        write_text(
            out / "results" / f"{m.codec.name}.json", json.dumps(compressai(m, len(images)), indent=1, ensure_ascii=False) + "\n"
        )
    write_text(out / "bd_rates.csv", _bd_csv(measured))
    write_plots(out / "plots", measured, hero, anchor, psnr.get(anchor, {}), shown, f"{folder}, mean of {len(images)} images")
    viewer = [work() for work in crop_tasks(run, [m.codec for m in measured], images, out / "cache")] if crops else []
    data = page_data(measured, images, hero, anchor, published, [curve.name for curve in shown], viewer, facts)
    write_report(out / "report.html", data)


def hero_and_anchor(measured: Sequence[Measured]) -> tuple[str, str]:
    """The codec that the page is about (aecodec's first, else the first) and the one to compare it with at first (JPEG)."""
    names = [m.codec.name for m in measured]
    hero = next((m.codec.name for m in measured if m.codec.family == "aecodec"), names[0])
    anchor = "jpeg" if "jpeg" in names else next((name for name in names if name != hero), hero)
    return hero, anchor


def _facts(run: Run, images: Sequence[str], problems: Sequence[str], folder: str, command: str) -> dict[str, Any]:
    """How the run was made, for run.json and the page."""
    rows = list(run.rows.values())
    pixels = sum(source.width * source.height for source in run.sources if source.name in images)
    dates = sorted({row.date[:10] for row in rows})
    return {
        "folder": folder,
        "images": len(images),
        "megapixels": pixels / 1e6,
        "complete": run.complete and not problems,
        "date": dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else "",
        "machines": sorted({row.machine for row in rows}),
        "threads": max((row.threads for row in rows), default=1),
        "command": command,
        "aecodec": __version__,
        "libraries": ", ".join(f"{name} {version_of(name)}" for name in LIBRARIES),
        "metrics": (
            "8-bit RGB. PSNR over the three channels; PSNR-Y of BT.601 luma; SSIM by scikit-image on RGB, Gaussian window σ 1.5, "
            "population covariance; MS-SSIM by pytorch-msssim on RGB; SSIMULACRA 2 by the package ssimulacra2."
        ),
        "codecs": {codec.name: {"version": codec.version(), "settings": codec.settings} for codec in run.codecs},
        "files": {source.name: source.sha256 for source in run.sources},
        "problems": list(problems),
    }


def _bd_csv(measured: Sequence[Measured]) -> str:
    """All Bjøntegaard deltas, a row a metric × anchor × codec."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", "anchor", "codec", "bd_rate_percent", "bd_value", "range_low", "range_high"])
    curves: Mapping[str, Curve] = {m.codec.name: m.curve for m in measured}
    for metric in METRICS:
        deltas: dict[str, dict[str, Delta]] = table(lines_of(curves, metric))
        for anchor, tests in deltas.items():
            for test, d in tests.items():
                writer.writerow([metric.name, anchor, test, f"{d.rate:.2f}", f"{d.value:.3f}", f"{d.low:.2f}", f"{d.high:.2f}"])
    return text.getvalue()
