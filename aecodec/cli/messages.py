"""What people read: one line on standard error for everything that is not the result itself."""

from __future__ import annotations

import os
import sys
import traceback

from ..errors import AecError

DEBUG = "AEC_DEBUG"
"""Environment variable: with any value, errors come with a traceback."""


def printable(text: str) -> str:
    """Text as one line that any terminal can show; file names may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split("\n")))


def say(text: str) -> None:
    """One line on standard error."""
    print(printable(f"aec: {text}"), file=sys.stderr, flush=True)


def explain(error: Exception, source: str = "") -> tuple[str, int]:
    """An exception as (one line, exit code). The name of the source is left out: the caller begins the line with it."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    match error:
        case AecError():
            return str(error).removeprefix(f"{source}: "), error.exit_code
        case MemoryError():
            return "not enough memory", 1
        case RuntimeError() if "can't allocate memory" in str(error):  # torch's way to say it
            return "not enough memory", 1
        case OSError():
            about = f"{error.filename}: " if error.filename not in (None, source) else ""
            return f"{about}{error.strerror or error}", 1
        case _:
            return f"{type(error).__name__}: {error}; this is a bug, {DEBUG}=1 shows where", 1
