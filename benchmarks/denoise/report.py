"""Tables for README.md and plots from rows.csv and holes.csv: ``python benchmarks/denoise/report.py``."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

HERE = Path(__file__).parent
OURS = "aec --denoise"
COLORS = {OURS: "#d55e00", "plain aec": "#7f7f7f", "non-local means, aec": "#1f4e9c", "BM3D, aec": "#00875f"}
Curve = dict[int, tuple[float, float]]
"""Mean bpp and PSNR by quality."""


def read(name: str) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with (HERE / name).open() as file:
        return list(csv.DictReader(file))


def curves(rows: list[dict[str, str]], sigma: str, methods: tuple[str, ...]) -> dict[str, Curve]:
    """The mean curve of each method over the images that all of them have."""
    of_sigma = [row for row in rows if row["sigma"] == sigma and row["method"] in methods]
    images = {m: {row["image"] for row in of_sigma if row["method"] == m} for m in {row["method"] for row in of_sigma}}
    common = set.intersection(*images.values())
    values: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in of_sigma:
        if row["image"] in common:
            values[row["method"]][int(row["quality"])].append((float(row["bpp"]), float(row["psnr"])))
    print(f"\nσ = {sigma}, {len(common)} images\n")
    return {
        method: {q: (float(np.mean(points, 0)[0]), float(np.mean(points, 0)[1])) for q, points in sorted(by_quality.items())}
        for method, by_quality in values.items()
    }


def at(curve: Curve, bpp: float) -> float:
    """PSNR of a curve at a bit rate, linear in its logarithm; NaN outside."""
    rates, psnrs = zip(*sorted(curve.values()), strict=True)
    return float(np.interp(np.log(bpp), np.log(rates), psnrs, np.nan, np.nan))


def best(curve: Curve, bpp: float) -> float:
    """The highest PSNR of a curve at no more than a bit rate: coarser coding of noise may be nearer to the clean image."""
    return max([psnr for rate, psnr in curve.values() if rate <= bpp] + [at(curve, bpp)], key=lambda v: -1 if np.isnan(v) else v)


def table(of_method: dict[str, Curve]) -> None:
    """Ours beside the others at its bit rates."""
    others = [method for method in COLORS if method in of_method and method != OURS]
    print(f"| quality | bpp | {OURS}, dB |", " | ".join(f"{m} at that bpp | at no more" for m in others), "|")
    print("|" + "---|" * (3 + 2 * len(others)))
    for quality, (bpp, psnr) in of_method[OURS].items():
        there = [value(of_method[method], bpp) for method in others for value in (at, best)]
        shown = ["–" if np.isnan(v) else f"{v:.2f} ({psnr - v:+.2f})" for v in there]
        print(f"| {quality} | {bpp:.3f} | {psnr:.2f} |", " | ".join(shown), "|")


def denoising() -> None:
    """A table and a plot for each σ, and a table of the images that BM3D was run on."""
    rows = read("rows.csv")
    sigmas = sorted({row["sigma"] for row in rows}, key=int)
    figure = Figure(figsize=(4.2 * len(sigmas), 4), layout="constrained")
    for axes, sigma in zip(np.atleast_1d(figure.subplots(1, len(sigmas))), sigmas, strict=True):
        of_method = curves(rows, sigma, (OURS, "plain aec", "non-local means, aec"))
        table(of_method)
        for method, curve in of_method.items():
            axes.plot(*zip(*sorted(curve.values()), strict=True), "o-", color=COLORS[method], markersize=4, label=method)
        axes.set(title=f"σ = {sigma}", xlabel="bits per pixel", ylabel="PSNR against the clean image, dB", xscale="log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        if any(row["sigma"] == sigma and row["method"].startswith("BM3D") for row in rows):
            table(curves(rows, sigma, (OURS, "BM3D, aec")))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "denoise.png", dpi=110)


def inpainting() -> None:
    """A table over the images."""
    values: dict[tuple[str, str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for row in read("holes.csv"):
        key = row["hole"], row["method"], row["quality"]
        values[key].append((float(row["bpp"]), float(row["psnr_hole"]), float(row["psnr"])))
    print("\n| hole | method | quality | bpp | PSNR in the hole | PSNR | images |\n|---|---|---|---|---|---|---|")
    for (hole, method, quality), found in sorted(values.items()):
        bpp, inside, whole = np.mean(found, 0)
        print(f"| {hole} | {method} | {quality} | {bpp:.3f} | {inside:.2f} | {whole:.2f} | {len(found)} |")


if __name__ == "__main__":
    denoising()
    if (HERE / "holes.csv").exists():
        inpainting()
