"""A tiny statement, timed again and again while others work: what the application feels."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.errors import ConnectionFailed

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.session import Sessions

EVERY = 0.05
"""Seconds between two probes."""
WINDOW = 1.0
"""Seconds after which a probe is forgotten."""
_ROW = b"SELECT epoch FROM lockgate.lease"


class Canary:
    """Probes on a connection of its own, in a thread of its own between ``start`` and ``stop``."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._probes: deque[tuple[float, float]] = deque()
        self._under_way: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lockgate-canary", daemon=True)

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def latency(self) -> float | None:
        """Seconds that nine of ten probes of the last second stayed below; None before the first.

        A probe that is still under way counts with the time it has taken so far.
        """
        now = self._clock.monotonic()
        times = [seconds for at, seconds in list(self._probes) if at >= now - WINDOW]
        started = self._under_way
        if started is not None and now - started > max(times, default=0.0):
            return now - started
        if not times and self._probes:
            times = [self._probes[-1][1]]
        return sorted(times)[(len(times) * 9) // 10] if times else None

    def probe(self, conn: Connection[Any]) -> None:
        """Time one probe."""
        self._under_way = started = self._clock.monotonic()
        try:
            conn.execute(_ROW)
        except psycopg.errors.LockNotAvailable:
            pass  # it waited as long as it may: that is its time
        finally:
            self._under_way = None
        ended = self._clock.monotonic()
        self._probes.append((ended, ended - started))
        while self._probes[0][0] < ended - WINDOW:
            self._probes.popleft()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with self._sessions.open("canary", read_only=True) as conn:
                    while not self._clock.wait(self._ended, EVERY):
                        self.probe(conn)
            except (psycopg.Error, ConnectionFailed):
                self._clock.wait(self._ended, 1.0)  # the database is away; whoever works on it will say so
