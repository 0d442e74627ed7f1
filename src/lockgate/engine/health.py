"""Signals that say whether the work may go on: go, hold or unknown, each with its reason."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import psycopg
from psycopg import Connection

from lockgate.engine import queries
from lockgate.engine.sqlerrors import message
from lockgate.plan.models import HealthQuery, Settings

FREEZE_AGE = 1_600_000_000
"""Transactions without a freeze at which PostgreSQL itself goes into its fail-safe."""
DEAD_ROWS = 10_000_000
"""Dead rows of one table, more than its live ones, above which making more of them waits for autovacuum."""
ARCHIVE_BACKLOG = 64
"""WAL files that may wait for the archiver: 1 GB of the default size."""


class Verdict(Enum):
    """What a signal says."""

    GO = "go"
    HOLD = "hold"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal's answer.

    :param value: what was measured, in the unit that the reason names; None if it could not be.
    """

    name: str
    verdict: Verdict
    reason: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """All signals together."""

    signals: tuple[Signal, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Hold if any holds; an unknown one never holds the work."""
        verdicts = {signal.verdict for signal in self.signals}
        return next((v for v in (Verdict.HOLD, Verdict.GO) if v in verdicts), Verdict.UNKNOWN)

    @property
    def reason(self) -> str:
        """Why the work holds; empty if it does not."""
        return "; ".join(s.reason for s in self.signals if s.verdict is Verdict.HOLD)


class Look(Protocol):
    """Asks one signal."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, conn: Connection[Any], settings: Settings) -> Signal:
        """What it says now."""


class ReplicaLag:
    """How far the slowest replica is behind, in seconds.

    What a replica last said about its lag stays as it was when it stops replaying. So this remembers where the
    primary was when, and takes the time since it was where the replica is now.
    """

    __name__ = "replica lag"

    def __init__(self) -> None:
        self._was: deque[tuple[float, int]] = deque(maxlen=10_000)

    def __call__(self, conn: Connection[Any], settings: Settings) -> Signal:
        row = conn.execute(queries.load("replicas")).fetchone()
        assert row is not None
        replicas, visible, here, slowest, there, told, now = row
        self._was.append((now, here))
        if not replicas:
            return Signal(self.__name__, Verdict.GO, "no replica is connected")
        if not visible:
            reason = "the role may not see the replicas' state; GRANT pg_monitor would let it"
            return Signal(self.__name__, Verdict.UNKNOWN, reason)
        limit = settings.max_replica_lag.total_seconds()
        seconds = max(told, self._since(there or 0, now))
        verdict = Verdict.HOLD if seconds > limit else Verdict.GO
        reason = f"replica {slowest} is {seconds:.1f} s behind (limit {limit:g} s)"
        return Signal(self.__name__, verdict, reason, seconds)

    def _since(self, position: int, now: float) -> float:
        """Seconds since the primary went past ``position``, as far back as is remembered."""
        passed = next((at for at, was in self._was if was > position), now)
        return now - passed


def waiting_sessions(conn: Connection[Any], settings: Settings) -> Signal:
    """How many of the others' sessions wait for a lock in this database."""
    row = conn.execute(
        "SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE NOT l.granted AND a.datname = current_database()"
        " AND coalesce(a.application_name, '') NOT LIKE 'lockgate:%'"
    ).fetchone()
    assert row is not None
    limit = settings.max_waiting_sessions
    verdict = Verdict.HOLD if row[0] > limit else Verdict.GO
    return Signal("waiting sessions", verdict, f"{row[0]} sessions wait for locks (limit {limit})", float(row[0]))


def archiver(conn: Connection[Any], settings: Settings) -> Signal:
    """How many WAL files wait to be archived."""
    name = "WAL archiver"
    row = conn.execute(
        "SELECT current_setting('archive_mode') <> 'off',"
        " coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL), last_failed_wal,"
        " has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') FROM pg_stat_archiver"
    ).fetchone()
    assert row is not None
    on, failing, failed_wal, may_count = row
    if not on:
        return Signal(name, Verdict.GO, "WAL is not archived")
    if may_count:
        counted = conn.execute("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'").fetchone()
        assert counted is not None
        verdict = Verdict.HOLD if counted[0] > ARCHIVE_BACKLOG else Verdict.GO
        return Signal(
            name,
            verdict,
            f"{counted[0]} WAL files wait to be archived (limit {ARCHIVE_BACKLOG})",
            float(counted[0]),
        )
    if failing:
        return Signal(name, Verdict.HOLD, f"archiving fails since {failed_wal}; WAL fills the disk until it works")
    return Signal(name, Verdict.UNKNOWN, "the role may not count the waiting WAL files; GRANT pg_monitor would let it")


def vacuum(conn: Connection[Any], settings: Settings) -> Signal:
    """Whether vacuum keeps up: dead rows, and the age of the oldest transaction that anything needs."""
    name = "vacuum"
    row = conn.execute("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()").fetchone()
    assert row is not None
    if row[0] > FREEZE_AGE:
        return Signal(name, Verdict.HOLD, f"{row[0]} transactions without a freeze: wraparound is near", float(row[0]))
    worst = conn.execute(
        "SELECT schemaname || '.' || relname, n_dead_tup FROM pg_stat_all_tables"
        " WHERE n_dead_tup > n_live_tup ORDER BY n_dead_tup DESC LIMIT 1"
    ).fetchone()
    if worst and worst[1] > DEAD_ROWS:
        return Signal(
            name,
            Verdict.HOLD,
            f"{worst[0]} has {worst[1]} dead rows (limit {DEAD_ROWS}){_horizon(conn)}",
            worst[1],
        )
    return Signal(name, Verdict.GO, "dead rows are few", float(worst[1]) if worst else 0.0)


def _horizon(conn: Connection[Any]) -> str:
    row = conn.execute(
        "SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity"
        " WHERE backend_xmin IS NOT NULL AND xact_start IS NOT NULL ORDER BY age(backend_xmin) DESC LIMIT 1"
    ).fetchone()
    return f"; vacuum cannot remove them before process {row[0]} ends its transaction of {row[1]} s" if row else ""


def plan_query(query: HealthQuery) -> Look:
    """A signal that the plan brings along."""

    def look(conn: Connection[Any], settings: Settings) -> Signal:
        row = conn.execute(query.query).fetchone()
        if row is None or row[0] is None:
            return Signal(query.name, Verdict.UNKNOWN, f"{query.name} yields nothing")
        value = float(row[0])
        verdict = Verdict.HOLD if value > query.at_most else Verdict.GO
        return Signal(query.name, verdict, f"{query.name} is {value:g} (limit {query.at_most:g})", value)

    look.__name__ = query.name
    return look


def latency(slowest: float | None, settings: Settings) -> Signal | None:
    """The canary's signal: the slowest probe of late, in seconds; None when the plan sets no limit."""
    if settings.max_latency is None:
        return None
    if slowest is None:
        return Signal("latency", Verdict.UNKNOWN, "no probe has answered yet")
    limit = settings.max_latency.total_seconds()
    verdict = Verdict.HOLD if slowest > limit else Verdict.GO
    reason = f"a probe statement takes {slowest * 1000:.1f} ms (limit {limit * 1000:g} ms)"
    return Signal("latency", verdict, reason, slowest)


def looks(settings: Settings) -> tuple[Look, ...]:
    """All signals of a plan but the canary; keep them, for some remember."""
    return (ReplicaLag(), waiting_sessions, archiver, vacuum, *(plan_query(query) for query in settings.health))


def examine(conn: Connection[Any], settings: Settings, signals: Iterable[Look]) -> tuple[Signal, ...]:
    """Ask each signal; one that cannot be asked is unknown, with the server's reason."""
    answers = []
    for look in signals:
        try:
            with conn.transaction():
                answers.append(look(conn, settings))
        except (psycopg.DatabaseError, ValueError, TypeError) as error:
            if conn.closed:
                raise
            name = look.__name__.replace("_", " ")
            reason = message(error) if isinstance(error, psycopg.Error) else "it yields no number"
            answers.append(Signal(name, Verdict.UNKNOWN, f"{name} cannot be measured: {reason}"))
    return tuple(answers)
