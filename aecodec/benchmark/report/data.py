"""What the page is told: plain dictionaries and lists, in the shape its scripts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from ..bdrate import Delta, Line, delta, table, value_at
from ..curves import Curve, Measured
from ..metrics import METRICS, Metric
from ..palette import PUBLISHED, style

RATES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Bits per pixel at which codecs are ranked."""


def lines_of(curves: Mapping[str, Curve], metric: Metric) -> dict[str, Line]:
    """The curves that have the metric."""
    lines = {name: curve.line(metric) for name, curve in curves.items()}
    return {name: points for name, points in lines.items() if points is not None}


def sentences(deltas: Mapping[str, Mapping[str, Delta]], labels: Mapping[str, str], hero: str) -> list[dict[str, Any]]:
    """One statement a codec that ``hero`` is compared with: its files in percent, over which range, in words."""
    statements = []
    for anchor, tests in deltas.items():
        if anchor == hero or hero not in tests:
            continue
        found = tests[hero]
        word = "smaller" if found.rate < 0 else "larger"
        statements.append(
            {
                "anchor": anchor,
                "rate": found.rate,
                "text": f"At equal PSNR {labels[hero]}'s files are {abs(found.rate):.1f} % {word} than {labels[anchor]}'s.",
                "range": [found.low, found.high],
            }
        )
    return statements


def page_data(
    measured: Sequence[Measured],
    images: Sequence[str],
    hero: str,
    anchor: str,
    published: Sequence[Curve],
    shown: Sequence[str],
    crops: Sequence[Mapping[str, object]],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything the page shows. ``facts`` are those of the run: date, machine, command, versions, failures."""
    means = {m.codec.name: m.curve for m in measured}
    labels = {name: curve.label for name, curve in means.items()}
    metrics = [metric for metric in METRICS if lines_of(means, metric)]
    deltas = {metric.name: table(lines_of(means, metric)) for metric in metrics}
    return {
        "hero": hero,
        "anchor": anchor,
        "metrics": [asdict(metric) for metric in metrics],
        "codecs": [_codec(measured, index, metrics) for index in range(len(measured))],
        "images": {image: {m.codec.name: _points(m.images[image], metrics) for m in measured} for image in images},
        "published": [_published(curve, metrics, curve.name in shown) for curve in published],
        "publishedColor": {"light": PUBLISHED.light, "dark": PUBLISHED.dark},
        "sentences": sentences(deltas[METRICS[0].name], labels, hero),
        "bd": {
            name: {a: {t: [d.rate, d.value, d.low, d.high] for t, d in tests.items()} for a, tests in pairs.items()}
            for name, pairs in deltas.items()
        },
        "bdImages": _per_image(measured, images),
        "rates": RATES,
        "atRates": {
            metric.name: {n: [value_at(points, rate) for rate in RATES] for n, points in lines_of(means, metric).items()}
            for metric in metrics
        },
        "crops": list(crops),
        "facts": dict(facts),
    }


def _codec(measured: Sequence[Measured], index: int, metrics: Sequence[Metric]) -> dict[str, Any]:
    m = measured[index]
    look = style(m.codec.family)
    return {
        "name": m.codec.name,
        "label": m.codec.label,
        "settings": m.codec.settings,
        "version": m.codec.version(),
        "light": look.light,
        "dark": look.dark,
        "point": look.point,
        "variant": sum(other.codec.family == m.codec.family for other in measured[:index]),
        "encode": m.encode_s,
        "decode": m.decode_s,
        "points": _points(m.curve, metrics),
    }


def _points(curve: Curve, metrics: Sequence[Metric]) -> dict[str, list[float]]:
    """Columns of a curve with plain metric values, short enough for a page."""
    columns = {"quality": curve.qualities, "bpp": curve.bpp} | {
        m.name: curve.metrics[m.name] for m in metrics if m.name in curve.metrics
    }
    return {name: [float(f"{value:.6g}") for value in values] for name, values in columns.items()}


def _published(curve: Curve, metrics: Sequence[Metric], shown: bool) -> dict[str, Any]:
    return {"label": curve.label, "source": curve.source, "shown": shown, "points": _points(curve, metrics)}


def _per_image(measured: Sequence[Measured], images: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """BD-rates of PSNR image by image, ``[anchor][test] = [mean, lowest, highest]``, where every image has one."""
    psnr = METRICS[0]
    lines = [lines_of({m.codec.name: m.images[image] for m in measured}, psnr) for image in images]
    result: dict[str, dict[str, list[float]]] = {}
    for anchor in (m.codec.name for m in measured):
        for test in (m.codec.name for m in measured):
            found = [delta(of_image[anchor], of_image[test]) for of_image in lines]
            rates = [d.rate for d in found if d]
            if rates and len(rates) == len(images):
                result.setdefault(anchor, {})[test] = [fmean(rates), min(rates), max(rates)]
    return result
