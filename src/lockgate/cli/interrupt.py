"""Ctrl-C and SIGTERM ask the work to stop at a clean point; a second one stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stop_on_signal(after: str) -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets.

    :param after: what is still done before it stops, such as ``the present chunk``.
    :raises KeyboardInterrupt: in the main thread, at the second signal.
    """
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        # Not by print: the signal may have come in the middle of one, and that must not be entered twice.
        text = f"{signal.Signals(number).name}: stopping after {after}; once more to stop at once\n"
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), text.encode())

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
