"""Many files as one job: here or in worker processes, with one progress bar, one line a failure and a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from .messages import printable, say
from .names import Task
from .work import Outcome, Report, Work, attempt

BAR_DELAY = 2.0
"""Seconds after which one file gets a progress bar."""


@dataclass(frozen=True)
class Verb:
    """How a command speaks of what it does."""

    name: str
    done: str
    shrinks: bool = False
    """Whether the ratio of bytes says something."""

    def ratio(self, bytes_in: int, bytes_out: int) -> str:
        """For example ", 8.3:1", or nothing."""
        return f", {bytes_in / bytes_out:.1f}:1" if self.shrinks and bytes_out else ""


@dataclass(frozen=True)
class Show:
    """What is printed."""

    json: bool = False
    quiet: bool = False
    progress: bool = True


def run(tasks: Sequence[Task], work: Work, verb: Verb, show: Show, *, jobs: int = 1, dry_run: bool = False) -> int:
    """Do all tasks and say what became of them; returns the exit code."""
    known = [outcome for outcome in map(_without_work, tasks) if outcome]
    todo = [task for task in tasks if not (task.refused or task.skipped)]
    if dry_run:
        return tell_plan([*known, *(Outcome(task.source, task.target, "planned") for task in todo)], verb, show)
    bar = Bar(verb, len(tasks), show)
    with closing(_outcomes(todo, work, jobs, bar.report)) as results:
        return follow(chain(known, results), bar)


def tell_plan(outcomes: Sequence[Outcome], verb: Verb, show: Show) -> int:
    """Say what would be done, and what can't be; returns the exit code."""
    for outcome in outcomes:
        if outcome.status == "planned" and not show.json:
            print(printable(f"{outcome.source} -> {outcome.target or verb.name}"))
        else:
            _tell(outcome, show)
    return _exit_code(outcomes, len(outcomes))


def follow(outcomes: Iterable[Outcome], bar: Bar) -> int:
    """Say what becomes of the bar's files while it does, and a summary in the end; returns the exit code."""
    started = time.perf_counter()
    seen: list[Outcome] = []
    try:
        for outcome in outcomes:
            seen.append(outcome)
            bar.clear()
            _tell(outcome, bar.show)
            bar.file(outcome)
            if outcome.interrupted:
                raise KeyboardInterrupt
    finally:  # after an interrupt, too
        bar.close()
        if not bar.show.quiet:
            _summarize(seen, bar.files, bar.verb, time.perf_counter() - started)
    return _exit_code(seen, bar.files)


def _without_work(task: Task) -> Outcome | None:
    if task.refused:
        return Outcome(task.source, task.target, "failed", error=task.refused, exit_code=1)
    if task.skipped:
        return Outcome(task.source, task.target, "skipped", notes=(task.skipped,))
    return None


def _outcomes(todo: Sequence[Task], work: Work, jobs: int, report: Report | None) -> Generator[Outcome]:
    if min(jobs, len(todo)) > 1:
        from .workers import outcomes

        yield from outcomes(todo, work, min(jobs, len(todo)))
    else:
        for task in todo:
            yield attempt(work, task, report)


def _exit_code(outcomes: Sequence[Outcome], inputs: int) -> int:
    """A single input's own code; 1 if some of many failed."""
    codes = [outcome.exit_code for outcome in outcomes if outcome.status == "failed"]
    return 0 if not codes else codes[0] if inputs == 1 else 1


def _tell(outcome: Outcome, show: Show) -> None:
    if outcome.status == "failed":
        say(f"{outcome.source}: {outcome.error}")
    elif outcome.status == "done" and not show.quiet:
        for note in outcome.notes:
            say(f"{outcome.source}: {note}")
    if show.json:
        print(outcome.to_json(), flush=True)


def _summarize(outcomes: Sequence[Outcome], tasks: int, verb: Verb, seconds: float) -> None:
    done = [o for o in outcomes if o.status == "done"]
    bytes_in, bytes_out = sum(o.bytes_in for o in done), sum(o.bytes_out for o in done)
    sizes = f"{bytes_in:,} -> {bytes_out:,} bytes" if bytes_out else f"{bytes_in:,} bytes"
    ratio = verb.ratio(bytes_in, bytes_out)
    decibels = [o.psnr for o in done if o.psnr is not None]
    psnr = f", {'mean ' if len(decibels) > 1 else ''}PSNR {fmean(decibels):.2f} dB" if decibels else ""
    if tasks > 1:
        counts = {status: sum(o.status == status for o in outcomes) for status in ("skipped", "failed")}
        rest = "".join(f", {count} {status}" for status, count in counts.items() if count)
        say(f"{len(done)} of {tasks} files {verb.done}{rest}: {sizes}{ratio}{psnr}, {seconds:.1f} s")
    elif done:
        (o,) = done
        names = f"{o.source} -> {o.target}" if o.target else f"{o.source} {verb.done}"
        say(f"{names}: {sizes}, {o.width}x{o.height}, {o.bpp:.3f} bpp{ratio}{psnr}, {o.seconds:.2f} s")
    elif outcomes and outcomes[0].status == "skipped":
        say(f"{outcomes[0].source}: skipped, {outcomes[0].target} {outcomes[0].notes[0]}")


class Bar:
    """The progress bar: over files, or over the tiles or steps of one file if that takes long. Only where somebody looks."""

    def __init__(self, verb: Verb, files: int, show: Show) -> None:
        self.verb, self.files, self.show = verb, files, show
        self.bytes_in = self.bytes_out = 0
        self.bar: Any = None
        if show.progress and not show.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            unit, delay = ("file", 0.0) if files > 1 else ("step", BAR_DELAY)
            self.bar = tqdm(total=files if files > 1 else None, desc=verb.name, unit=unit, delay=delay, leave=False)

    @property
    def report(self) -> Report | None:
        """For the work on a file, if the bar is one of a single file."""
        return None if self.bar is None or self.files > 1 else self._report

    def _report(self, done: int, total: int, state: str = "") -> None:
        self.bar.total = total
        self.bar.set_postfix_str(state, refresh=False)
        self.bar.update(done - self.bar.n)

    def file(self, outcome: Outcome) -> None:
        """One more file is through."""
        self.bytes_in += outcome.bytes_in
        self.bytes_out += outcome.bytes_out
        if self.bar is not None and self.files > 1:
            self.bar.set_postfix_str(self.verb.ratio(self.bytes_in, self.bytes_out).lstrip(", "), refresh=False)
            self.bar.update()

    def clear(self) -> None:
        """Make room for a line on the terminal."""
        if self.bar is not None:
            self.bar.clear()

    def close(self) -> None:
        """Take it away."""
        if self.bar is not None:
            self.bar.close()
