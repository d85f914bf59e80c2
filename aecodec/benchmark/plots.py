"""PNG and SVG pictures of a run, for a README or a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bdrate import Delta
from .curves import Curve, Measured
from .metrics import METRICS, Metric
from .optional import need
from .palette import PUBLISHED, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 150
RC = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6ea",
    "axes.axisbelow": True,
    "svg.hashsalt": "aecodec",  # the same run gives the same file
    "legend.frameon": False,
}


def write_plots(
    folder: Path,
    measured: Sequence[Measured],
    hero: str,
    anchor: str,
    deltas: dict[str, Delta],
    published: Sequence[Curve],
    title: str,
) -> list[Path]:
    """Rate against every metric, bars of BD-rate, time against BD-rate; ``deltas`` are those of PSNR against ``anchor``."""
    matplotlib = need("matplotlib")
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(RC):
        for metric in METRICS:
            if any(m.curve.line(metric) is not None for m in measured):
                figure, axes = _figure(9.0, 5.2)
                _rate_distortion(axes, measured, hero, metric, published, title)
                figure.legend(fontsize=8.5, loc="outside right center")
                written += _write(figure, folder / f"rate_{metric.name}")
        labels = {m.codec.name: m.codec.label for m in measured}
        if any(name != anchor for name in deltas):
            figure, axes = _figure(7.2, 0.36 * len(deltas) + 1.2)
            _bars(axes, measured, hero, anchor, deltas, labels[anchor])
            written += _write(figure, folder / "bd_rate")
            figure, axes = _figure(7.2, 5.0)
            _pareto(axes, measured, hero, deltas, labels[anchor])
            written += _write(figure, folder / "time")
    return written


def _figure(width: float, height: float) -> tuple[Any, Any]:
    figure, axes = need("matplotlib.pyplot").subplots(figsize=(width, height), layout="constrained")
    return figure, axes


def _write(figure: Any, stem: Path) -> list[Path]:
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=DPI)
    figure.savefig(svg, metadata={"Date": None})
    need("matplotlib.pyplot").close(figure)
    return [png, svg]


def _line_style(measured: Sequence[Measured], index: int) -> str:
    """Solid for the first of a family, then dashed, then dotted."""
    family = measured[index].codec.family
    return ("-", "--", ":", "-.")[min(sum(m.codec.family == family for m in measured[:index]), 3)]


def _rate_distortion(
    axes: Axes, measured: Sequence[Measured], hero: str, metric: Metric, published: Sequence[Curve], title: str
) -> None:
    for index, m in enumerate(measured):
        points = m.curve.line(metric)
        if points is None:
            continue
        look, is_hero = style(m.codec.family), m.codec.name == hero
        axes.plot(
            points[:, 0],
            points[:, 1],
            label=m.codec.label,
            color=look.light,
            marker=look.mark,
            markersize=5 if is_hero else 4,
            linewidth=2.8 if is_hero else 1.3,
            linestyle=_line_style(measured, index),
            zorder=3 if is_hero else 2,
        )
    for index, curve in enumerate(published):
        points = curve.line(metric)
        if points is not None:
            dots = (0, (1 + 2 * index, 2))
            axes.plot(
                points[:, 0], points[:, 1], label=curve.label, color=PUBLISHED.light, linewidth=1.1, linestyle=dots, zorder=1
            )
    axes.set_xscale("log")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2, 4], ["0.05", "0.1", "0.2", "0.5", "1", "2", "4"], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("bits per pixel of the whole file")
    axes.set_ylabel(f"{metric.label} ({metric.unit})" if metric.unit else metric.label)
    axes.set_title(title + ("; thin grey: published, not measured here" if published else ""), fontsize=10, loc="left")


def _bars(axes: Axes, measured: Sequence[Measured], hero: str, anchor: str, deltas: dict[str, Delta], label: str) -> None:
    shown = sorted((m for m in measured if m.codec.name in deltas), key=lambda m: -deltas[m.codec.name].rate)
    rates = [deltas[m.codec.name].rate for m in shown]
    colors = [style(m.codec.family).light for m in shown]
    bars = axes.barh([m.codec.label for m in shown], rates, color=colors, height=0.66)
    for bar, m in zip(bars, shown, strict=True):
        bar.set_alpha(1.0 if m.codec.name == hero else 0.55)
    axes.bar_label(
        bars, [f"{rate:+.1f} %" if m.codec.name != anchor else "0" for rate, m in zip(rates, shown, strict=True)], padding=4
    )
    axes.axvline(0, color="#44444c", linewidth=0.8)
    axes.margins(x=0.16)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"bytes at equal PSNR against {label} (BD-rate, %): left is smaller")


def _pareto(axes: Axes, measured: Sequence[Measured], hero: str, deltas: dict[str, Delta], label: str) -> None:
    shown = [m for m in measured if m.codec.name in deltas]
    for m in shown:
        look, rate = style(m.codec.family), deltas[m.codec.name].rate
        size = 11 if m.codec.name == hero else 8
        axes.plot([m.encode_s, m.decode_s], [rate, rate], color=look.light, linewidth=0.8, alpha=0.5)
        axes.plot(m.encode_s, rate, look.mark, color=look.light, markersize=size)
        axes.plot(m.decode_s, rate, look.mark, color=look.light, markersize=size, fillstyle="none")
        axes.annotate(m.codec.label, (m.encode_s, rate), (7, 5), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.set_xlabel("CPU seconds per megapixel: filled encode, hollow decode")
    axes.set_ylabel(f"BD-rate against {label} (%): lower is smaller")
