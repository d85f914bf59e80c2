"""The pictures of a run: its losses as a plot, and grids of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from .task import Samples

GAP = 4
HEADING = 16
MIN_CELL = 96
"""Smaller images are enlarged by a whole factor, so that one can see their pixels and the headings fit."""


def draw_losses(training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]], path: Path) -> None:
    """(step, loss) of training and of validation as curves over the steps; the scale leaves out the first tenth's heights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, points, color in (("training", training, "#9a9a9a"), ("validation", validation, "#c2410c")):
        if points:
            axes.plot(*zip(*points, strict=True), color=color, linewidth=1.5, label=name)
    settled = [loss for points in (training, validation) for _, loss in points[len(points) // 10 :]]
    if settled and max(settled) > min(settled):
        margin = 0.05 * (max(settled) - min(settled))
        axes.set_ylim(min(settled) - margin, max(settled) + margin)
    axes.set(xlabel="step", ylabel="loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def draw_grid(samples: Samples, path: Path) -> None:
    """Rows of images under the headings of their columns, as PNG."""
    height, width = samples.rows[0][0].shape[:2]
    factor = max(1, -(-MIN_CELL // width))
    height, width = height * factor, width * factor
    columns, rows = len(samples.columns), len(samples.rows)
    grid = Image.new("RGB", (columns * (width + GAP) - GAP, HEADING + rows * (height + GAP) - GAP), "white")
    draw = ImageDraw.Draw(grid)
    for column, heading in enumerate(samples.columns):
        draw.text((column * (width + GAP), 1), heading, fill="black")
    for row, images in enumerate(samples.rows):
        for column, pixels in enumerate(images):
            image = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
            grid.paste(image, (column * (width + GAP), HEADING + row * (height + GAP)))
    grid.save(path)
