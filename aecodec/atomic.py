"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """Open ``.NAME.partial`` beside a path, to become the file there when the block ends well; any failure removes it.

    What a killed run left under that name is removed first. With ``sync`` the bytes are on the disk before the old file goes.
    Raises OSError.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with partial.open("x+b") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text, in UTF-8, its line ends as they are."""
    with replacing(path) as file:
        file.write(text.encode())
