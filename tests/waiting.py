"""Waiting for something to become true, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], seconds: float = 60.0, *, what: str | None = None) -> T:
    """Ask again and again until the answer is true, and return that answer.

    :param seconds: the deadline. Be generous: it is only spent when the test fails.
    :param what: what is waited for, said when it does not come; the predicate's name otherwise.
    :raises AssertionError: when the deadline passes.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            name = what or getattr(predicate, "__qualname__", repr(predicate))
            raise AssertionError(f"not within {seconds:g} s: {name} (the last answer was {answer!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return answer


def lives(pid: int) -> bool:
    """Whether the process has not ended; one that ended and that nobody has reaped does not live."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
