"""Ctrl-C and SIGTERM wait for the end of a step, so that what is saved then is a whole state."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Asked:
    """Whether the run should end."""

    def __init__(self) -> None:
        self.now = False


@contextmanager
def interrupts_wait() -> Iterator[Asked]:
    """Inside the block the first signal only sets ``now``; a second one interrupts as it would have without the block."""
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield asked
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.now = True
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()
