"""Documentation that is made from the code is what the code says now."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_command_line_reference_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    tool = runpy.run_path(str(ROOT / "tools" / "make_cli_docs.py"))
    assert (ROOT / "docs" / "cli.md").read_text() == tool["reference"]()
