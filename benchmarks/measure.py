"""What the benchmarks share: timing, processes with their peak memory, and the facts that every result carries.

Only the standard library is imported at the top: a worker runs in CompressAI's environment, too, and the parent of a measured
process has to be small (see `run`).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parent.parent
MIB = 2**20


@dataclass(frozen=True)
class Finished:
    """A process that ended well."""

    seconds: float
    peak_mib: float
    """Resident memory at its highest, with that of processes it waited for."""


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end, its output thrown away.

    Linux counts the memory of the process that starts another as that one's, until it has more of its own: nothing below the
    memory of this process can be measured.

    Raises:
        subprocess.CalledProcessError: its exit code isn't 0; the error holds what it wrote to stderr.
    """
    start = perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors.decode(errors="replace"))
    return Finished(seconds, usage.ru_maxrss * 1024 / MIB)


@contextmanager
def confined(threads: int) -> Iterator[dict[str, str]]:
    """Confines this process, and those it starts, to as many cores; gives the environment for them.

    Raises:
        SystemExit: this process may not use so many.
    """
    allowed = os.sched_getaffinity(0)
    if len(allowed) < threads:
        raise SystemExit(f"{threads} threads asked for, but this process may use only {len(allowed)} cores")
    os.sched_setaffinity(0, sorted(allowed)[:threads])
    try:
        yield os.environ | {"OMP_NUM_THREADS": str(threads)}
    finally:
        os.sched_setaffinity(0, allowed)


class Facts(dict[str, object]):
    """When, where and how something was measured. Made when measuring starts, for it notes the load that was there."""

    def __init__(self, command: str) -> None:
        from aecodec.benchmark.rows import machine

        super().__init__(
            command=command,
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=machine(),
            system=f"Linux {platform.release()}, Python {platform.python_version()}",
        )
        self["load average at the start"] = f"{os.getloadavg()[0]:.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in cells]


def write_results(
    stem: Path, title: str, facts: Mapping[str, object], results: Mapping[str, object], tables: Sequence[str]
) -> None:
    """Write ``stem``.json, all of it, and ``stem``.md, what people read."""
    stem.with_suffix(".json").write_text(json.dumps({**facts, **results}, indent=1, ensure_ascii=False) + "\n")
    lines = [f"# {title}", "", *(f"- {name}: {value}" for name, value in facts.items()), "", *tables]
    text = "\n".join(lines) + "\n"
    stem.with_suffix(".md").write_text(text)
    print(text)
