"""The other database: read in short transactions that write nothing, also through a pooler, and again when lost."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg import Connection, sql
from psycopg.pq import TransactionStatus

from lockgate.engine import preflight, sqlerrors
from lockgate.engine.address import describe, redact, resolve
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.retry import Policy, lost_connection, passing
from lockgate.engine.session import PINNED, Sessions
from lockgate.errors import ConnectionFailed, ConnectionLost, Interrupted, PlanError
from lockgate.plan.models import Settings

T = TypeVar("T")

# About a minute of a network that is away; each piece of work that is done begins anew with all tries.
_PATIENCE = Policy(retries=16, base=0.1, cap=5.0)
_LOCAL = {
    **PINNED,
    # It idles while the target takes in what was read.
    "idle_in_transaction_session_timeout": "5min",
    "lock_timeout": "5s",
    "statement_timeout": "0",
}


def address(name: str, where: str) -> str:
    """The address of the database that a plan names: by an environment variable, or a service of libpq.

    :raises PlanError: if the variable is not set, or cannot be read; nothing of it is shown.
    """
    if name.startswith("service="):
        return name
    found = os.environ.get(name)
    if not found:
        raise PlanError(
            f"Environment variable {name} is not set",
            where=where,
            why="It must hold the address of the other database.",
            hint=f"export {name}=postgresql://user@host/name",
        )
    return resolve(found, {})


@dataclass(slots=True)
class Source:
    """The other database, over one connection at a time; a context manager, for that connection.

    :param dsn: its address, which is never shown.
    :param writes: whether it is written: only a rollback does that, over a connection of its own.
    :param plan_sql: whether SQL of the plan is asked there, which reads names as that database does.
    """

    dsn: str
    settings: Settings
    clock: Clock
    progress: Progress
    stop: threading.Event
    where: str
    writes: bool = False
    plan_sql: bool = False
    _conn: Connection[Any] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def label(self) -> str:
        """Where it is, for people; without any password."""
        return describe(self.dsn)

    @contextmanager
    def transaction(self) -> Iterator[Connection[Any]]:
        """One snapshot of it. Nothing that runs in there can write, but for a source that is written."""
        if self._conn is None or self._conn.closed:
            self._conn = Sessions(self.dsn, self.settings).connect_through_pooler("copy")
            number = self._conn.info.server_version
            preflight.refuse_version(number, str(number // 10_000), self.dsn)
        mode = "READ WRITE" if self.writes else "READ ONLY"
        with self._conn.transaction():
            # One after the other: what stands in one message with BEGIN is taken for several by some poolers.
            self._conn.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}".encode())
            pins = {name: value for name, value in _LOCAL.items() if name != "search_path" or not self.plan_sql}
            settings = sql.SQL(", ").join(
                sql.SQL("pg_catalog.set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
                for name, value in pins.items()
            )
            self._conn.execute(sql.SQL("SELECT {}").format(settings))
            try:
                yield self._conn
            except BaseException:
                if self._conn.info.transaction_status is TransactionStatus.ACTIVE:
                    self.close()  # rows that nobody takes any more are on their way
                raise

    def patiently(self, work: Callable[[], T], again: Callable[[], None] = lambda: None) -> T:
        """Do work with both databases, and again when a connection was lost or a conflict; it must stand that.

        :param again: called before each further try, to leave what was lost.
        :raises Interrupted: if told to stop.
        :raises ConnectionLost: when all tries are used up.
        """
        attempt = 1
        while True:
            if self.stop.is_set():
                raise Interrupted(
                    "Stopped between two pieces", where=self.where, hint="`lockgate apply` goes on there."
                )
            try:
                return work()
            except (psycopg.Error, ConnectionFailed) as error:
                if not passing(error):
                    raise
                if lost_connection(error):
                    self.close()
                    again()
                if attempt > _PATIENCE.retries:
                    raise self._given_up(error) from error
                pause = _PATIENCE.pause(attempt)
                self.progress.event(f"{redact(sqlerrors.message(error))}; trying again in {pause:.1f} s")
            self.clock.wait(self.stop, pause)
            attempt += 1

    def close(self) -> None:
        """Leave the connection."""
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
        self._conn = None

    def _given_up(self, error: psycopg.Error | ConnectionFailed) -> ConnectionLost:
        return ConnectionLost(
            "A connection was lost, and no new one could be made",
            where=self.where,
            why=redact(sqlerrors.message(error)),
            hint=f"Run the command again when both databases answer ({self.label} is the other one): it goes on.",
        )
