"""Write docs/cli.md from what the commands say of themselves, so that it can't differ from them."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "cli.md"
COMMANDS = (
    "",
    "compress",
    "decompress",
    "info",
    "verify",
    "benchmark",
    "distributed",
    "distributed compress",
    "distributed decompress",
    "train",
    "train compress",
    "train denoise",
    "train inpaint",
    "train classic",
    "export",
    "embed",
    "anomalies",
)


def help_of(command: str) -> str:
    """What ``aec COMMAND --help`` prints, 100 columns wide."""
    from aecodec.cli import main

    os.environ["COLUMNS"] = "100"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*command.split(), "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def reference() -> str:
    """The whole page."""
    sections = [f"## {' '.join(['aec', command]).strip()}\n\n```\n{help_of(command)}\n```\n" for command in COMMANDS]
    head = "# The command line\n\nMade from `aec … --help` by `python tools/make_cli_docs.py`.\n\n"
    return head + "\n".join(sections)


if __name__ == "__main__":
    REFERENCE.write_text(reference())
    print(REFERENCE)
