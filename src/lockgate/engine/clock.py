"""The only place that reads the clock, so that a rehearsal can let 90 days pass."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from psycopg import Connection


class Clock(Protocol):
    """What the time is, and waiting for it to pass."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC; of this machine, so for people only."""

    def of(self, conn: Connection[Any]) -> datetime:
        """The time of the database, which dates what is in the ledger: what must have passed is counted by it."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set, at most ``seconds``; whether it is set."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def of(self, conn: Connection[Any]) -> datetime:
        row = conn.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
        assert row is not None
        time_there: datetime = row[0]
        return time_there.astimezone(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


class ForwardedClock:
    """A clock on which days can be let pass, for a rehearsal: what must have passed has, and the ledger is told so.

    Nothing but the demo makes one: production cannot be fast-forwarded.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.passed = timedelta()

    def now(self) -> datetime:
        return self._clock.now() + self.passed

    def of(self, conn: Connection[Any]) -> datetime:
        return self._clock.of(conn) + self.passed

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return self._clock.wait(event, seconds)

    def forward(self, by: timedelta) -> None:
        """Let time pass."""
        self.passed += by


class FakeClock:
    """A clock that passes only when told to, or when somebody waits on it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def of(self, conn: Connection[Any]) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.wait(0.001):  # a moment of real time, so that a thread that waits in a loop lets others run
            self.sleep(seconds)
        return event.is_set()

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        with self._lock:
            self._passed += by.total_seconds()
