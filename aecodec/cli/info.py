"""`aec info`: what .aec files say of themselves."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Annotated

import typer

from ..errors import FormatError
from ..format.information import Info
from ..format.information import info as read_info
from ..limits import Limits
from . import files, names, options
from .messages import explain, printable, say

EXAMPLES = """\b
Examples:
  aec info photo.aec
  aec info *.aec --json | jq .bpp
  curl -s https://example.org/photo.aec | aec info -
"""

ANY_SIZE = Limits(pixels=1 << 64, side=1 << 32)
"""Nothing is decoded, so no image is too large to describe."""

Inputs = Annotated[list[str], typer.Argument(metavar="IN...", help=".aec files and folders, or - for standard input.")]


def info(inputs: Inputs, as_json: options.Json = False) -> None:
    """Show what .aec files say of themselves.

    Size, mode, quality, bits per pixel, model, metadata, and every chunk with its checksum.

    Only headers and checksums are read; `aec verify` decodes as well. The exit code is 3 if a file that was named alone is
    damaged, 1 if some of many are.
    """
    tasks = names.plan(inputs, None, names.Naming(names.is_aec))
    files.check_streams(tasks)
    codes = [_show(task, as_json) for task in tasks]
    raise typer.Exit(codes[0] if len(codes) == 1 else int(any(codes)))


def _show(task: names.Task, as_json: bool) -> int:
    """One file; returns its exit code."""
    about = None
    message, code = task.refused, int(bool(task.refused))
    if not task.refused:
        try:
            about = read_info(files.read(task.source), ANY_SIZE)
            if not about.intact:
                damaged = sum(not chunk.intact for chunk in about.chunks)
                message, code = f"{damaged} of {len(about.chunks)} chunks are damaged", FormatError.exit_code
        except Exception as error:
            message, code = explain(error, task.source)
    if as_json:
        row: dict[str, object] = {"input": task.source} | (about.to_dict() if about else {})
        print(json.dumps(row | ({"error": message, "exit_code": code} if code else {"exit_code": 0})))
    elif about:
        print("\n".join(_lines(task.source, about)))
    if code:
        say(f"{task.source}: {message}")
    return code


def _lines(source: str, about: Info) -> list[str]:
    lines = [
        printable(f"{source}: {about.width}x{about.height} {about.mode}, {about.size_bytes:,} bytes, {about.bpp:.3f} bpp"),
        f"  quality   {about.quality:g}, effort {about.effort}",
        f"  model     {about.model}, coder {about.coder}, format version {about.format_version}",
        f"  tiles     {about.tiles} of {about.tile}x{about.tile}",
        f"  metadata  {', '.join(f'{name} {size:,} bytes' for name, size in about.metadata.items()) or 'none'}",
    ]
    for (name, intact), group in groupby(about.chunks, lambda chunk: (chunk.name, chunk.intact)):
        sizes = [chunk.length for chunk in group]
        label = name if len(sizes) == 1 else f"{len(sizes)} {name}s"
        lines.append(f"  chunk     {label:10} {sum(sizes):>13,} bytes{'' if intact else '  DAMAGED'}")
    return lines
