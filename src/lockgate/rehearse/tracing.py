"""What each step does on the copy: the locks that it takes, the files that it writes anew, and its time.

Two looks at the locks complete each other. At the end of each of the runner's transactions its own session tells
exactly what it holds: locks are released at the end only. What runs outside a transaction (CREATE INDEX CONCURRENTLY,
VACUUM), or in sessions that are not ours, is seen by a second connection that looks every few milliseconds, and may
miss what is shorter.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import psycopg
from psycopg import Connection, Transaction
from psycopg.pq import TransactionStatus

from lockgate import sqlfiles
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.session import Sessions
from lockgate.ledger.chunks import ChunkProgress
from lockgate.plan.models import Settings
from lockgate.rehearse import traffic
from lockgate.rehearse.traffic import Felt
from lockgate.usage.own import OwnConnection

_PACKAGE = "lockgate.rehearse"
_EVERY = 0.003
MODES = (
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
    "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip
"""From the weakest to the strongest."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The strongest lock of a step on a relation that was there before the step.

    :param seconds: that it was held at most, on the copy: from the transaction's begin to the last look at it.
    :param exact: whether the session that held it told so; else it was sampled.
    """

    relation: str
    mode: str
    seconds: float
    exact: bool


@dataclass(frozen=True, slots=True)
class TracedStep:
    """What a step did.

    :param rewritten: relations that lie in a new file afterwards: rewritten, or emptied by TRUNCATE.
    :param rebuilt: indexes of the same kind.
    :param built: new indexes of relations that were there before.
    :param felt: what readers and writers of the tables that were there before the plan felt meanwhile.
    """

    phase: str
    step: str
    kind: str
    seconds: float
    locks: tuple[Lock, ...]
    rewritten: tuple[str, ...]
    rebuilt: tuple[str, ...]
    built: tuple[str, ...]
    felt: tuple[Felt, ...]


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    kind: str
    node: int
    table: int


@dataclass(slots=True)
class _Open:
    """A step that is running."""

    phase: str
    step: str
    kind: str
    began: float
    files: dict[int, _File]
    locks: dict[int, Lock] = field(default_factory=dict)
    felt: dict[tuple[str, str], Felt] = field(default_factory=dict)


class Trace:
    """A Progress of the engine that finds out from the ledger which step runs, and keeps what was seen meanwhile."""

    def __init__(self, sessions: Sessions, plan: str, clock: Clock, inner: Progress) -> None:
        self.steps: list[TracedStep] = []
        self.samples = 0
        self._plan, self._clock, self._inner = plan, clock, inner
        self._sessions = sessions
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._conn: Connection[Any] | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look while the block runs."""
        ended = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(ended,), name="lockgate-rehearsal-locks", daemon=True)
        with self._sessions.open("rehearsal ledger") as conn:
            self._conn = conn
            sampler.start()
            try:
                yield
            finally:
                ended.set()
                sampler.join()
                with self._lock:
                    if self._open is not None and not conn.closed:
                        self._close(self._open)
                    self._open = self._conn = None

    def event(self, message: str) -> None:
        """A step begins or ends with one."""
        # When the copy goes away the runner says so: a Progress must not raise.
        with self._lock, contextlib.suppress(psycopg.OperationalError):
            if self._conn is not None:
                self._look(self._conn)
        self._inner.event(message)

    def chunks(
        self, progress: ChunkProgress, rows_per_second: float, eta_low: timedelta | None, eta_high: timedelta | None
    ) -> None:
        """Passed on."""
        self._inner.chunks(progress, rows_per_second, eta_low, eta_high)

    def waiting(self, reason: str, release: str) -> None:
        """Passed on."""
        self._inner.waiting(reason, release)

    def seen(self, found: list[tuple[Any, ...]], *, exact: bool) -> None:
        """Keep locks: relation, mode, seconds."""
        with self._lock:
            if self._open is not None:
                for oid, mode, seconds in found:
                    self._keep(self._open, oid, Lock("", mode, seconds, exact))

    def felt(self, relation: str, what: str, seconds: float, why: str | None) -> None:
        """A statement of the traffic has ended."""
        with self._lock:
            if self._open is not None:
                known = self._open.felt.get((relation, what)) or Felt(relation, what, 0, 0.0)
                self._open.felt[relation, what] = known.with_one(seconds, why)

    def _keep(self, step: _Open, oid: int, lock: Lock) -> None:
        there = step.files.get(oid)
        if there is None or there.kind in "iI" or lock.mode not in MODES:
            return
        known = step.locks.get(oid)
        if known is None or MODES.index(lock.mode) > MODES.index(known.mode):
            step.locks[oid] = Lock(there.name, lock.mode, lock.seconds, lock.exact)
        elif known.mode == lock.mode:
            longest = max(known.seconds, lock.seconds)
            step.locks[oid] = Lock(there.name, lock.mode, longest, known.exact or lock.exact)

    def _look(self, conn: Connection[Any]) -> None:
        row = conn.execute(sqlfiles.load(_PACKAGE, "tracing.running"), {"plan": self._plan}).fetchone()
        if self._open is not None and (row is None or row[:2] != (self._open.phase, self._open.step)):
            self._close(self._open)
            self._open = None
        if self._open is None and row is not None:
            files = self._files(conn)
            self._open = _Open(row[0], row[1], row[2], self._clock.monotonic(), files)

    def _close(self, step: _Open) -> None:
        seconds = self._clock.monotonic() - step.began
        assert self._conn is not None
        now = self._files(self._conn)
        moved = [oid for oid, file in step.files.items() if oid in now and now[oid].node != file.node]
        self.steps.append(
            TracedStep(
                step.phase,
                step.step,
                step.kind,
                seconds,
                tuple(sorted(step.locks.values(), key=lambda lock: (-MODES.index(lock.mode), lock.relation))),
                tuple(sorted(now[oid].name for oid in moved if not now[oid].table)),
                tuple(sorted(now[oid].name for oid in moved if now[oid].table)),
                tuple(sorted(f.name for oid, f in now.items() if oid not in step.files and f.table in step.files)),
                tuple(sorted(step.felt.values(), key=lambda felt: (felt.relation, felt.what))),
            )
        )

    def _files(self, conn: Connection[Any]) -> dict[int, _File]:
        found = conn.execute(sqlfiles.load(_PACKAGE, "tracing.files")).fetchall()
        return {oid: _File(name, kind, node, table) for oid, name, kind, node, table in found}

    def _sample(self, ended: threading.Event) -> None:
        query = sqlfiles.load(_PACKAGE, "tracing.sampled")
        with contextlib.suppress(psycopg.OperationalError), self._sessions.open("rehearsal locks") as conn:
            while not self._clock.wait(ended, _EVERY):
                if self._open is not None:
                    self.seen(conn.execute(query, {"traffic": traffic.NAME}).fetchall(), exact=False)
                    self.samples += 1


class TracedConnection(OwnConnection):
    """A connection that tells what it holds at the end of each of its transactions."""

    trace: Trace | None = None

    @contextlib.contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        """Like the driver's."""
        outermost = self.info.transaction_status is TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if outermost and self.trace and self.info.transaction_status is TransactionStatus.INTRANS:
                self.trace.seen(self.execute(sqlfiles.load(_PACKAGE, "tracing.held")).fetchall(), exact=True)


class TracedSessions(Sessions):
    """Sessions of the runner on the copy."""

    connection = TracedConnection
    trace: Trace | None = None

    def with_settings(self, settings: Settings, clock: Clock | None = None) -> Self:
        """As the engine's; traced, too."""
        made = super().with_settings(settings, clock)
        made.trace = self.trace
        return made

    def open(
        self,
        purpose: str,
        *,
        plan_sql: bool = False,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> OwnConnection:
        """As the engine's; traced, too."""
        made = super().open(purpose, plan_sql=plan_sql, read_only=read_only, statement_timeout=statement_timeout)
        assert isinstance(made, TracedConnection)
        made.trace = self.trace
        return made
