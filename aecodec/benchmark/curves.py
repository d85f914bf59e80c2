"""From rows to curves: means over images, CompressAI's JSON, and curves that others published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from ..errors import UsageError
from .bdrate import Line, line
from .codecs import Codec
from .metrics import METRICS, Metric, decibel
from .rows import Row
from .runner import Run

COMPRESSAI_KEYS = {
    "psnr_rgb": "psnr-rgb",
    "psnr_y": "psnr-y",
    "ssim": "ssim-rgb",
    "ms_ssim": "ms-ssim-rgb",
    "ssimulacra2": "ssimulacra2",
}


@dataclass(frozen=True)
class Curve:
    """Points of one codec, from few bits to many. A metric that some image lacks isn't there."""

    name: str
    label: str
    bpp: list[float]
    metrics: dict[str, list[float]]  # plain values: similarities are not in dB
    qualities: list[float] = field(default_factory=list)
    encode_s: list[float] = field(default_factory=list)  # seconds per image
    decode_s: list[float] = field(default_factory=list)
    source: str = ""  # for published curves

    def line(self, metric: Metric) -> Line | None:
        """The curve as people read it, similarities in dB; None where the metric is missing."""
        values = self.metrics.get(metric.name)
        if values is None:
            return None
        return line(self.bpp, [decibel(value) for value in values] if metric.decibel else values)


@dataclass(frozen=True)
class Measured:
    """A codec of the run with its mean curve and those of the single images."""

    codec: Codec
    curve: Curve
    images: dict[str, Curve]
    encode_s: float  # median CPU seconds per megapixel
    decode_s: float


def complete_images(run: Run) -> tuple[list[str], list[Codec]]:
    """The images that every codec has measured at all its qualities; codecs that have none such are left out."""
    whole = {
        codec.name: {
            source.name
            for source in run.sources
            if all((source.name, codec.name, quality) in run.rows for quality in run.qualities[codec.name])
        }
        for codec in run.codecs
    }
    codecs = [codec for codec in run.codecs if whole[codec.name]]
    common = [source.name for source in run.sources if all(source.name in whole[codec.name] for codec in codecs)]
    return (common, codecs) if codecs else ([], [])


def measured_curves(run: Run) -> tuple[list[Measured], list[str]]:
    """Curves over the images that all codecs have in common, and their names. Every codec's mean is over the same images."""
    images, codecs = complete_images(run)
    if not images:
        return [], []
    return [_measured(run, codec, images) for codec in codecs], images


def _measured(run: Run, codec: Codec, images: Sequence[str]) -> Measured:
    steps = run.qualities[codec.name]
    table = [[run.rows[image, codec.name, quality] for image in images] for quality in steps]
    rows = [row for step in table for row in step]
    return Measured(
        codec,
        _curve(codec, table),
        {image: _curve(codec, [[step[index]] for step in table]) for index, image in enumerate(images)},
        median(row.encode_s / (row.width * row.height) for row in rows) * 1e6,
        median(row.decode_s / (row.width * row.height) for row in rows) * 1e6,
    )


def _curve(codec: Codec, table: list[list[Row]]) -> Curve:
    """Plain means over the rows of each quality: of bits per pixel, of dB, of similarities."""

    def means(name: str) -> list[float] | None:
        columns = [[getattr(row, name) for row in step] for step in table]
        return None if any(value is None for column in columns for value in column) else [fmean(column) for column in columns]

    values = {metric.name: means(metric.name) for metric in METRICS}
    return Curve(
        codec.name,
        codec.label,
        means("bpp") or [],
        {name: value for name, value in values.items() if value is not None},
        [step[0].quality for step in table],
        means("encode_s") or [],
        means("decode_s") or [],
    )


def compressai(measured: Measured, images: int) -> dict[str, Any]:
    """A curve in the schema of CompressAI's `results` files, so that it can be plotted by its tools."""
    curve, codec = measured.curve, measured.codec
    metrics = {COMPRESSAI_KEYS[name]: values for name, values in curve.metrics.items()}
    return {
        "name": codec.name,
        "description": f"{codec.label}, {codec.version()}, {codec.settings}, means over {images} images",
        "results": {
            "quality": curve.qualities,
            "bpp": curve.bpp,
            **metrics,
            "encoding_time": curve.encode_s,
            "decoding_time": curve.decode_s,
        },
    }


def load_published(path: Path) -> list[Curve]:
    """Curves of a JSON file: ``{name: {"bpp": […], "psnr-rgb": […], "source": …}}``, or one in CompressAI's schema.

    Raises:
        UsageError: the file can't be read as either.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "results" in content:
            content = {content["name"]: content["results"] | {"source": content.get("description", "")}}
        return [_published(name, entry) for name, entry in content.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no published curves: {type(error).__name__}: {error}") from error


def _published(name: str, entry: dict[str, Any]) -> Curve:
    order = sorted(range(len(entry["bpp"])), key=lambda index: entry["bpp"][index])
    metrics = {
        metric: [float(entry[key][index]) for index in order]
        for metric, key in COMPRESSAI_KEYS.items()
        if entry.get(key) and None not in entry[key]
    }
    source = " · ".join(entry[key] for key in ("note", "source") if entry.get(key))
    return Curve(name, name, [float(entry["bpp"][index]) for index in order], metrics, source=source)
