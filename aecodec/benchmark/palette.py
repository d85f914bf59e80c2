"""Colours and marks of the curves, the same in plots and page.

A family has one colour and one mark, its variants differ in the dash. The colours are from Okabe and Ito's palette, which people
with any kind of colour vision can tell apart; the marks help where curves cross and where there is no colour at all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Colours on a light and on a dark page; a mark of matplotlib and one of Chart.js."""

    light: str
    dark: str
    mark: str
    point: str


FAMILIES = {
    "aecodec": Style("#d55e00", "#ff8a3d", "o", "circle"),
    "jpeg": Style("#3a8fc4", "#6cc0f0", "s", "rect"),
    "jpeg2000": Style("#c05a95", "#e48fc0", "D", "rectRot"),
    "webp": Style("#00875f", "#2fc79a", "^", "triangle"),
    "avif": Style("#1f4e9c", "#7c9cff", "P", "cross"),
    "jxl": Style("#9a8200", "#e8d83a", "X", "crossRot"),
    "heic": Style("#3c3c46", "#d8d8e0", "*", "star"),
}
OTHER = Style("#7f7f7f", "#a0a0a0", "v", "rectRounded")
PUBLISHED = Style("#8a8a94", "#8f8f9a", "", "line")


def style(family: str) -> Style:
    """The style of a family; grey for one that the table doesn't know."""
    return FAMILIES.get(family, OTHER)
