"""Measurements, one row an image × codec × quality, in a CSV file that grows while a run goes on.

A row is appended as soon as it is measured, so whatever ends a run leaves a file that the next one can resume from.
"""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..atomic import write_text

Key = tuple[str, str, float]
"""(image, codec, quality)."""


@dataclass(frozen=True)
class Row:
    """One encode and decode. Times are CPU seconds of the process, model loaded, workers confined to ``threads`` cores."""

    image: str
    image_sha256: str  # of the file, 16 hex digits
    width: int
    height: int
    codec: str
    settings: str
    version: str
    quality: float
    bytes: int
    bpp: float
    psnr_rgb: float
    psnr_y: float
    ssim: float | None
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_s: float
    decode_s: float
    threads: int
    machine: str
    date: str  # UTC, to the minute

    @property
    def key(self) -> Key:
        """What the row is found by."""
        return self.image, self.codec, self.quality


COLUMNS = tuple(field.name for field in fields(Row))
_INTEGERS = {"width", "height", "bytes", "threads"}
_NUMBERS = {"quality", "bpp", "psnr_rgb", "psnr_y", "ssim", "ms_ssim", "ssimulacra2", "encode_s", "decode_s"}


def _cell(value: object) -> object:
    return "" if value is None else f"{value:.7g}" if isinstance(value, float) else value


def _parse(record: dict[str, str]) -> Row | None:
    """A row of the file; None for one that a killed run left half-written."""
    values: dict[str, Any] = {}
    try:
        for name in COLUMNS:
            text = record[name]
            values[name] = int(text) if name in _INTEGERS else (float(text) if text else None) if name in _NUMBERS else text
        row = Row(**values)
        return row if None not in (row.psnr_rgb, row.bpp, row.encode_s) and record[COLUMNS[-1]] else None
    except (KeyError, TypeError, ValueError):
        return None


def load(path: Path) -> dict[Key, Row]:
    """All whole rows of a file, the last of those with the same key; empty if there is no file."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        rows = (_parse(record) for record in csv.DictReader(stream))
        return {row.key: row for row in rows if row}


def save(path: Path, rows: Iterable[Row]) -> None:
    """Replace the file by these rows, sorted."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: (row.codec, row.image, row.bytes, row.quality)):
        writer.writerow({name: _cell(value) for name, value in asdict(row).items()})
    write_text(path, text.getvalue())


def append(path: Path, row: Row) -> None:
    """Add a row to a file that `save` wrote."""
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow({name: _cell(value) for name, value in asdict(row).items()})
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(text.getvalue())


def machine() -> str:
    """The processor, for people: "AMD EPYC 9354P, 2 cores"."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"
