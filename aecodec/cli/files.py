"""Reading inputs and writing results so that nothing is lost and nothing half-written.

A result is written to ``.NAME.partial`` in the folder of NAME and renamed when it is complete; every failure and interrupt
removes it. What a killed run leaves behind is replaced by the next run that writes the same NAME.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ..atomic import replacing
from ..errors import AecError, UsageError
from .names import STDIO, Task


class OutputError(AecError):
    """A result can't be written; the message names it."""


def check_streams(tasks: Sequence[Task], json: bool = False) -> None:
    """Raise UsageError if data would go to a terminal, be expected from one, or be mixed with JSON."""
    if any(task.source == STDIO for task in tasks) and sys.stdin.isatty():
        raise UsageError("standard input is a terminal; pipe a file into it")
    if any(task.target == STDIO for task in tasks):
        if json:
            raise UsageError("--json and the result can't both go to standard output")
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal; redirect it or name a file with -o")


def read(source: str) -> bytes:
    """All bytes of a file or of standard input."""
    return sys.stdin.buffer.read() if source == STDIO else Path(source).read_bytes()


@contextmanager
def seekable(source: str) -> Iterator[BinaryIO]:
    """A file, pipe or standard input, open for reading and seeking."""
    if source == STDIO:
        yield BytesIO(read(source))
        return
    with open(source, "rb") as file:
        yield file if file.seekable() else BytesIO(file.read())


@contextmanager
def result(task: Task) -> Iterator[BinaryIO]:
    """A file to write a task's result to, which appears under its name when the block ends well.

    Nothing but the writing belongs in the block: every OSError there is an OutputError.
    """
    name = task.target or STDIO
    try:
        if name == STDIO or (os.path.exists(name) and not os.path.isfile(name)):  # a pipe or device: nothing to seek in or rename
            buffer = BytesIO()
            yield buffer
            _pour(buffer, name)
            return
        if task.make_folders:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        target = Path(os.path.realpath(name))
        with replacing(target) as file:
            yield file
            if not task.overwrite and target.exists():
                raise OutputError(f"{target} has appeared meanwhile; --force replaces it")
    except BrokenPipeError:  # the reader has had enough; `main` ends quietly
        raise
    except OSError as error:
        raise OutputError(f"{'standard output' if name == STDIO else name}: {error.strerror or error}") from error


def _pour(buffer: BytesIO, name: str) -> None:
    if name == STDIO:
        rest = buffer.getbuffer()
        while rest:  # unbuffered (PYTHONUNBUFFERED), a write may end early, and without an error when the reader leaves
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.buffer.flush()
    else:
        with open(name, "wb") as device:
            device.write(buffer.getbuffer())
