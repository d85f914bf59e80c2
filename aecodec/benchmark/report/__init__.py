"""report.html: one self-contained page. Nothing is fetched; styles, scripts, data and pictures are inside.

Charts are drawn by Chart.js (MIT licence, vendor/); the rest is page.html, page.css and the scripts beside them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...atomic import write_text

SCRIPTS = ("common.js", "curves.js", "tables.js", "viewer.js")


def write_report(path: Path, data: dict[str, Any]) -> None:
    """Fill the page with ``data`` (see data.py) and write it."""
    here = files(__package__)

    def text(name: str) -> str:
        return here.joinpath(name).read_text(encoding="utf-8")

    chart = text("vendor/chart.umd.min.js").partition("//# sourceMappingURL")[0]
    parts = {
        "{{css}}": text("page.css"),
        "{{chart}}": chart,
        "{{scripts}}": "\n".join(text(name) for name in SCRIPTS),
        "{{data}}": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }
    page = text("page.html")
    for marker, part in parts.items():
        page = page.replace(marker, part)
    write_text(path, page)
