"""Doing work that takes a strong lock: look first, wait shortly, try again, and name who is in the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import Connection, errors

from lockgate.engine import locks
from lockgate.engine.locks import Blocker, Watch
from lockgate.engine.retry import Failure, Policy, lost_connection, passing
from lockgate.engine.sqlerrors import message
from lockgate.errors import ConnectionFailed, Interrupted, LockNotAcquired

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions

T = TypeVar("T")

LONG = 1.0
"""Seconds from which a transaction is long: nobody queues behind a lock that waits for one."""


@dataclass(slots=True)
class Seat:
    """The connection that pieces of work share which come one after the other; close it when they are done."""

    conn: Connection[Any] | None = None

    def close(self) -> None:
        """The next piece of work gets a new connection."""
        if self.conn is not None:
            self.conn.close()
        self.conn = None


@dataclass(slots=True)
class StrongLock:
    """How work under a strong lock is tried.

    :param purpose: of the connections.
    :param where: shown when the lock is not had.
    :param relations: what will be locked, as far as it is known before.
    :param seat: whose connection is used, and left open; None: one of its own.
    """

    sessions: Sessions
    policy: Policy
    clock: Clock
    progress: Progress
    stop: threading.Event
    purpose: str
    where: str
    relations: Sequence[str] = ()
    seat: Seat | None = None
    _own: Seat = field(default_factory=Seat, init=False)
    _seen: list[Blocker] = field(default_factory=list, init=False)
    _told: str = field(default="", init=False)

    def do(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do ``work`` on a connection of its own; it opens its transaction and may be called again.

        :raises LockNotAcquired: when the tries are used up; names the blocker.
        :raises Interrupted: when ``stop`` was set while waiting.
        :raises psycopg.Error, ConnectionFailed: any error that trying again would not help, or did not.
        """
        try:
            return self._tries(work)
        finally:
            self._own.close()
            self._tell("")

    def _tries(self, work: Callable[[Connection[Any]], T]) -> T:
        attempt = 1
        while True:
            failure: Failure | None = None
            try:
                conn = self._connection()
                if not self._in_the_way(conn):
                    return self._watched(conn, work)
            except (psycopg.Error, ConnectionFailed) as error:
                if not passing(error):
                    raise
                failure = error
                if lost_connection(error):
                    (self.seat or self._own).close()
            if attempt > self.policy.retries:
                raise self._given_up(attempt, failure) from failure
            self._wait(attempt, failure)
            attempt += 1

    def _watched(self, conn: Connection[Any], work: Callable[[Connection[Any]], T]) -> T:
        every = max(0.01, self.sessions.settings.lock_timeout.total_seconds() / 5)
        with Watch(self.sessions, conn, every) as watch:
            try:
                return work(conn)
            except psycopg.Error as error:
                if isinstance(error, errors.LockNotAvailable):
                    self._seen = watch.seen
                raise

    def _in_the_way(self, conn: Connection[Any]) -> bool:
        """Whether a long transaction would block the work; then it does not even queue."""
        blocking = locks.still_there(conn, self._seen) or locks.holders(conn, self.relations, LONG)
        blocking = locks.send_away(conn, blocking)
        vacuums = {b.relation for b in blocking if b.autovacuum and b.relation}
        if vacuums and all(b.autovacuum for b in blocking):
            for relation in vacuums:
                locks.nudge_autovacuum(conn, relation)
            blocking = []
        self._seen = blocking
        return bool(blocking)

    def _wait(self, attempt: int, failure: Failure | None) -> None:
        if self._seen:
            reason = f"waits for a lock: {self._seen[0]}"
            self._tell(reason, self._seen[0].release)
        elif failure is not None:
            self.progress.event(f"{self.where}: {message(failure)}; trying again ({attempt} of {self.policy.retries})")
        if self.clock.wait(self.stop, self.policy.pause(attempt)):
            raise Interrupted("Stopped while waiting for a lock", where=self.where)

    def _tell(self, reason: str, release: str = "") -> None:
        if reason != self._told:
            self._told = reason
            self.progress.waiting(reason, release)

    def _given_up(self, attempts: int, failure: Failure | None) -> Exception:
        if failure is not None and not self._seen and not isinstance(failure, errors.LockNotAvailable):
            return failure
        timeout = self.sessions.settings.lock_timeout.total_seconds() * 1000
        why = "; ".join(str(blocker) for blocker in self._seen) or "Who blocked it could not be seen in time."
        release = f", or end it: {self._seen[0].release}" if self._seen else ""
        return LockNotAcquired(
            f"The lock was not had in {attempts} tries of {timeout:g} ms; nothing was changed",
            where=self.where,
            why=why,
            hint=f"Let the blocker finish{release}; then run `lockgate apply` again.",
        )

    def _connection(self) -> Connection[Any]:
        seat = self.seat or self._own
        if seat.conn is None or seat.conn.closed:
            seat.conn = self.sessions.open(self.purpose, plan_sql=True)
        return seat.conn
