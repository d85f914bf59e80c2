"""Documentation that is made from the code is what the code says now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_command_line_reference_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    tool = runpy.run_path(str(ROOT / "tools" / "make_cli_docs.py"))
    assert (ROOT / "docs" / "cli.md").read_text() == tool["reference"]()


def test_the_figures_of_the_comparison_are_those_that_were_measured() -> None:
    pytest.importorskip("bjontegaard")
    tool = runpy.run_path(str(ROOT / "tools" / "make_comparison.py"))
    text = (ROOT / "docs" / "comparison.md").read_text()
    assert "| aecodec | 0 |" in text
    assert tool["page"](text) == text


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
