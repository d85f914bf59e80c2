"""Which files are read and where each result goes, decided before any work is done.

Results are named so:

    photo.png                       → photo.aec beside it
    photo.png OUT.aec, -o OUT.aec   → OUT.aec
    a.png b.png photos/ -o DIR      → DIR/a.aec, DIR/b.aec, and what is below photos/ in the same folders below DIR
    -                               → standard input to standard output
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import UsageError

STDIO = "-"
SUFFIX = ".aec"

Existing = Literal["refuse", "replace", "skip", "update"]
"""What to do where a result exists already; "update" replaces it if it is older than its input."""


@dataclass(frozen=True)
class Task:
    """One file to do, or the reason why it is left."""

    source: str
    target: str | None = None
    overwrite: bool = False
    make_folders: bool = False
    skipped: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Naming:
    """How one command names things."""

    is_input: Callable[[str], bool]
    """Which files of a folder are taken."""
    is_result: Callable[[str], bool] = lambda name: False
    """Whether the second of two arguments is OUT."""
    suffix: str = ""
    """Of the results; "" if the command writes none."""


def is_aec(name: str) -> bool:
    """Whether a name says that the file is one of ours."""
    return name.lower().endswith(SUFFIX)


def plan(arguments: Sequence[str], output: str | None, naming: Naming, existing: Existing = "refuse") -> list[Task]:
    """The tasks of a command line, in order. Raises UsageError if the arguments contradict each other."""
    inputs = list(arguments)
    if naming.suffix and output is None and len(inputs) == 2 and (inputs[1] == STDIO or naming.is_result(inputs[1])):
        output = inputs.pop()
    if inputs.count(STDIO) > 1:
        raise UsageError("standard input (-) can be read only once")
    inputs = list(dict.fromkeys(inputs))
    many = len(inputs) > 1 or os.path.isdir(inputs[0])
    folder = _is_folder(output, many, naming)
    if STDIO in inputs and (folder or existing == "update"):
        raise UsageError("standard input has no name and no date; give its result a name with -o FILE")
    if output == STDIO and existing in ("skip", "update"):
        raise UsageError("standard output can't be skipped or updated")
    tasks = []
    for task, below in _find(inputs, naming):
        writes = naming.suffix and not task.refused
        target = _target(task.source, below, output, folder, naming.suffix) if writes else None
        tasks.append(replace(task, target=target, make_folders=folder, overwrite=existing in ("replace", "update")))
    return list(_vetted(tasks, existing))


def _is_folder(output: str | None, many: bool, naming: Naming) -> bool:
    if output is None:
        return False
    if output.endswith(("/", os.sep)):
        return True
    if many and (output == STDIO or naming.is_result(output) or os.path.isfile(output)):
        raise UsageError(f"several inputs can't become one {output}; name a folder with -o DIR")
    return many or os.path.isdir(output)


def _find(inputs: Sequence[str], naming: Naming) -> Iterator[tuple[Task, Path]]:
    """Every input file as a task, with its path below the folder that was named."""
    for name in inputs:
        if not os.path.isdir(name):
            yield Task(name), Path(os.path.basename(name))
            continue
        unreadable: list[OSError] = []
        count = 0
        for folder, folders, files in os.walk(name, onerror=unreadable.append):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for file in sorted(f for f in files if not f.startswith(".") and naming.is_input(f)):
                count += 1
                path = Path(folder, file)
                yield Task(str(path)), path.relative_to(name)
        for error in unreadable:
            yield Task(str(error.filename), refused=error.strerror or "can't be read"), Path()
        if not count and not unreadable:
            yield Task(name, refused="the folder has no file that can be taken"), Path()


def _target(source: str, below: Path, output: str | None, folder: bool, suffix: str) -> str:
    if output is None:
        return STDIO if source == STDIO else str(Path(source).with_suffix(suffix))
    return str(Path(output, below.with_suffix(suffix))) if folder else output


def _vetted(tasks: Sequence[Task], existing: Existing) -> Iterator[Task]:
    """The tasks, those marked that can't or needn't be done."""
    claimed: dict[str, str] = {}
    for task in tasks:
        refused, skipped = task.refused or _input_problem(task.source), ""
        if not refused and task.target and task.target != STDIO:
            first = claimed.setdefault(os.path.realpath(task.target), task.source)
            if first == task.source:
                refused, skipped = _output_problem(task, task.target, existing)
            else:
                refused = f"{task.target} is already the result of {first}"
        yield replace(task, refused=refused, skipped=skipped)


def _input_problem(source: str) -> str:
    if source == STDIO:
        return ""
    try:
        os.stat(source)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _output_problem(task: Task, target: str, existing: Existing) -> tuple[str, str]:
    """(why the target can't be written, why it needn't be), each "" if there is no reason."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        folder = os.path.dirname(target) or "."
        return f"{folder}: no such folder" if not (task.make_folders or os.path.isdir(folder)) else "", ""
    except OSError as error:
        return f"{target}: {error.strerror}", ""
    if stat.S_ISDIR(old.st_mode):
        return f"{target} is a directory", ""
    if not stat.S_ISREG(old.st_mode):  # a device or a pipe holds nothing that could be lost
        return "", ""
    if task.source != STDIO and os.path.samefile(task.source, target):
        return "the result would replace its own input", ""
    if existing == "refuse":
        return f"{target} exists; --force replaces it", ""
    if existing == "skip":
        return "", "exists"
    if existing == "update" and old.st_mtime >= os.stat(task.source).st_mtime:
        return "", "up to date"
    return "", ""
