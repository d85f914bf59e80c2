"""Worker processes that end cleanly: on Ctrl-C, when the parent is killed, and when one of them dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext

from .names import Task
from .signals import interrupts_held, terminate_like_interrupt
from .work import Outcome, Work, attempt

PRELOADED = ["aecodec.cli", "aecodec.codec", "aecodec.picture.imageio", "aecodec.model.onnx_engine"]

DIED = "a worker process died, perhaps for lack of memory; fewer --jobs need less"


def outcomes(tasks: Sequence[Task], work: Work, jobs: int) -> Generator[Outcome]:
    """What becomes of the tasks, in the order in which they are done."""
    with ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_start) as pool:
        try:
            with interrupts_held():
                futures = {pool.submit(_attempt, work, task): task for task in tasks}
            for future in as_completed(futures):
                task = futures[future]
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield Outcome(task.source, task.target, "failed", error=DIED, exit_code=1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _context() -> BaseContext:
    """How processes start: as forks of a server that has done the imports and nothing else; anew where there are no such forks.

    They are no forks of this process, whose libraries may run threads that a fork would not have.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _start() -> None:
    """In a new worker: obey the parent alone, and don't outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _attempt(work: Work, task: Task) -> Outcome:
    """A task in a worker. While it works, SIGTERM is an interrupt, so that its temporary file goes; in between it just ends."""
    with terminate_like_interrupt():
        try:
            return attempt(work, task)
        except KeyboardInterrupt:
            os._exit(130)
