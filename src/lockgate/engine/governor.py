"""Says to every worker, between two chunks, whether it may go on and how fast."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.engine import health
from lockgate.engine.canary import Canary
from lockgate.engine.clock import Clock
from lockgate.engine.throttle import Limits, Pace, adapt, slower
from lockgate.errors import ConnectionFailed
from lockgate.ledger import control
from lockgate.plan.models import Settings

if TYPE_CHECKING:
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions
    from lockgate.ledger.control import Control

_LOOK_EVERY = 1.0
_POLL = 0.2
_PATIENCE = timedelta(seconds=2)


class Governor:
    """Health, canary and live control of one plan; safe to call from several threads.

    As a context manager it times the canary in a thread and on a connection of its own, so that it is timed
    while chunks run. Without one, every question takes a fresh look.
    """

    def __init__(self, sessions: Sessions, plan: str, clock: Clock, progress: Progress, settings: Settings) -> None:
        self._sessions = sessions
        self._plan = plan
        self._clock = clock
        self._progress = progress
        self._settings = settings
        self._lock = threading.Lock()
        self._conn: Connection[Any] | None = None
        self._canary = Canary(sessions, clock) if settings.max_latency is not None else None
        self._looks = health.looks(settings)
        self._looked_at: float | None = None
        self._signals: tuple[health.Signal, ...] = ()
        self._control: Control | None = None
        self._pace = Pace(settings.chunk_rows)
        self._waiting = ""

    def __enter__(self) -> Governor:
        if self._canary is not None:
            self._canary.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._canary is not None:
            self._canary.stop()
        with self._lock:
            self._drop()

    # --- what workers ask ---------------------------------------------------------------------------------

    def permit(self, stop: threading.Event) -> bool:
        """Wait while the plan is paused or a signal holds, saying why; False when ``stop`` was set."""
        while not stop.is_set():
            self.refresh()
            reason, release = self.held()
            if self._tell(reason, release):
                self._slow_down()
            if not reason:
                return True
            self._clock.wait(stop, _POLL)
        return False

    def after_chunk(self, rows: int, seconds: float, stop: threading.Event) -> int:
        """Rest as the pace demands after a chunk, and the rows of the next one."""
        with self._lock:
            pace = self._pace = adapt(self._pace, rows, seconds, self._latency(), self._limits())
        rest = pace.rest(seconds)
        if rest > 0:
            self._clock.wait(stop, rest)
        return pace.rows

    def chunk_rows(self) -> int:
        """Rows that the next chunk should have."""
        with self._lock:
            return (self._control.chunk_rows if self._control else None) or self._pace.rows

    def workers(self) -> int:
        """How many workers should be at work now: what `tune` asked for, or the plan's setting."""
        with self._lock:
            return (self._control.workers if self._control else None) or self._settings.workers

    def health(self) -> health.Health:
        """The signals of the latest look."""
        with self._lock:
            canary = health.latency(self._latency(), self._settings)
            return health.Health((*self._signals, canary) if canary else self._signals)

    def held(self) -> tuple[str, str]:
        """Why the work must wait and what releases it; two empty strings when it need not."""
        with self._lock:
            control = self._control
        if control and control.paused:
            return f"paused: {control.reason or 'no reason was given'}", "lockgate resume"
        reason = self.health().reason
        return (
            (reason, "nothing to do: it goes on by itself; `lockgate status` shows all signals") if reason else ("", "")
        )

    def refresh(self) -> None:
        """Read the live control; look at the signals too if the last look is a second old."""
        with self._lock:
            try:
                self._look()
            except (psycopg.OperationalError, psycopg.InterfaceError, ConnectionFailed):
                self._drop()  # no news; the worker will meet the same trouble and say so

    def _look(self) -> None:
        conn = self._connection()
        self._control = control.get(conn, self._plan)
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= _LOOK_EVERY:
            self._signals = health.examine(conn, self._settings, self._looks)
            self._looked_at = now

    def _latency(self) -> float | None:
        return self._canary.latency() if self._canary is not None else None

    def _connection(self) -> Connection[Any]:
        if self._conn is None or self._conn.closed:
            self._conn = self._sessions.open("health", plan_sql=True, read_only=True, statement_timeout=_PATIENCE)
        return self._conn

    def _drop(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None

    def _limits(self) -> Limits:
        limit = self._settings.max_latency
        return Limits(
            self._settings.chunk_time.total_seconds(),
            limit.total_seconds() if limit else None,
            self._control.chunk_rows if self._control else None,
        )

    def _slow_down(self) -> None:
        """A hold that the canary brought about was brought about by us: work less after it."""
        with self._lock:
            canary = health.latency(self._latency(), self._settings)
            if canary is not None and canary.verdict is health.Verdict.HOLD:
                self._pace = slower(self._pace, self._pace.rows, self._limits())

    def _tell(self, reason: str, release: str) -> bool:
        """Tell why the work waits, once for each reason; whether it was told."""
        with self._lock:
            # Numbers in a reason change with every look; who waits is told again when another reason comes.
            kind = re.sub(r"\d+(?:\.\d+)?", "", reason)
            if kind == self._waiting:
                return False
            self._waiting = kind
        self._progress.waiting(reason, release)
        return True
