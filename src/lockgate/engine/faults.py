"""Named points at which a test can end the process, as SIGKILL would.

``LOCKGATE_FAULT="chunk.claimed:3"`` kills the process when it passes the point for the third time; several
points are separated by commas. ``LOCKGATE_FAULT_LOG=path`` appends the name of each point passed to a file, so
that a test can find them all. ``LOCKGATE_FAULT_SIGNAL=SIGSTOP`` stops the process there instead, as a laptop that
sleeps would. Without these variables a point costs one lookup.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping

VARIABLE = "LOCKGATE_FAULT"
LOG = "LOCKGATE_FAULT_LOG"
SIGNAL = "LOCKGATE_FAULT_SIGNAL"


def parse(text: str) -> dict[str, int]:
    """Read ``name:n,name`` as the pass (from 1) at which each point kills.

    :raises ValueError: if a count is not a positive number.
    """
    points: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, count = item.partition(":")
        points[name] = int(count or 1)
        if points[name] < 1:
            raise ValueError(f"{item}: the count of a fault starts at 1")
    return points


_armed: Mapping[str, int] = parse(os.environ.get(VARIABLE, ""))
_log = os.environ.get(LOG)
_signal = signal.Signals[os.environ.get(SIGNAL, "SIGKILL")]
_passed: Counter[str] = Counter()
_lock = threading.Lock()


def fault(name: str) -> None:
    """Pass the point ``name``: nothing, unless the variable says that the process dies here."""
    if _log is None and name not in _armed:
        return
    with _lock:  # so that the point at which it dies is the last one that is written
        if _log is not None:
            with open(_log, "a", encoding="utf-8") as log:
                log.write(f"{name}\n")
        _passed[name] += 1
        if _passed[name] == _armed.get(name):
            # By this very thread: as a signal to the process it could meet another one, and this one would go on.
            signal.pthread_kill(threading.get_ident(), _signal)
