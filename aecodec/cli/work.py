"""One file's work, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

from .messages import explain
from .names import Task


@dataclass(frozen=True)
class Outcome:
    """What became of a task: "done", "skipped", "failed" or, in a dry run, "planned"."""

    source: str
    target: str | None
    status: str = "done"
    bytes_in: int = 0
    bytes_out: int = 0
    width: int = 0
    height: int = 0
    bpp: float = 0.0
    """bits of the .aec file per pixel of its whole image"""
    psnr: float | None = None
    """in dB, if it was asked for"""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0
    interrupted: bool = False
    """Ctrl-C came while it was done: the rest is left"""

    def to_json(self) -> str:
        """One line; sizes only where there are any."""
        row: dict[str, object] = {"input": self.source, "output": self.target}
        fields = asdict(self)
        del fields["source"], fields["target"]
        row |= {name: value for name, value in fields.items() if value or name == "exit_code"}
        row |= {"seconds": round(self.seconds, 3)} if self.seconds else {}
        return json.dumps(row)


class Report(Protocol):
    """Called while one file is worked on."""

    def __call__(self, done: int, total: int, state: str = "") -> None:
        """So much is done, and how it stands."""


Work = Callable[[Task, Report | None], Outcome]
"""Does one task and raises what goes wrong; can be pickled, for it may run in another process."""


def attempt(work: Work, task: Task, report: Report | None = None) -> Outcome:
    """Do a task; whatever goes wrong with it becomes part of the outcome."""
    try:
        return work(task, report)
    except BrokenPipeError:  # the reader of standard output is gone: nothing to tell anybody
        raise
    except Exception as error:
        message, code = explain(error, task.source)
        return Outcome(task.source, task.target, "failed", error=message, exit_code=code)
