"""Connections to the target database, all alike: pinned settings, short lock timeouts, a name."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta
from typing import Any, ClassVar, Self
from weakref import WeakSet

import psycopg
from psycopg import ClientCursor, Connection, Cursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.engine import preflight
from lockgate.engine.clock import Clock, SystemClock
from lockgate.errors import ConnectionFailed, LockgateError
from lockgate.plan.models import Settings
from lockgate.usage.own import OwnConnection, OwnCursor

PLAN = "plan"
"""The mark, in ``lockgate.writer``, of what SQL of the plan writes."""
PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "standard_conforming_strings": "on",
    "row_security": "off",
    "search_path": "pg_catalog",
    # A chunk's snapshot must be younger than its transaction id, and an append to the chain waits for the one before.
    "default_transaction_isolation": "read committed",
    # A runner that hangs must hold no locks against the application, nor against who takes over when its lease
    # has run out. No transaction of ours waits for anything but the server.
    "idle_in_transaction_session_timeout": "20s",
}


class Sessions:
    """Opens connections to one database.

    :param dsn: a conninfo string or URL; it may hold a password and is never shown.
    """

    connection: ClassVar[type[OwnConnection]] = OwnConnection

    def __init__(self, dsn: str, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.dsn = dsn
        self.settings = settings or Settings()
        self.clock: Clock = clock or SystemClock()
        self._opened: WeakSet[Connection[Any]] = WeakSet()
        self._lock = threading.Lock()
        self._ended: LockgateError | None = None

    def open(
        self,
        purpose: str,
        *,
        plan_sql: bool = False,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> OwnConnection:
        """A new autocommit connection; use it as a context manager, or close it.

        :param purpose: shown to the DBA as ``application_name`` ``lockgate:<purpose>``.
        :param plan_sql: for SQL that people wrote: keeps the database's own search_path.
        :param read_only: nothing that runs on it can write.
        :raises ConnectionFailed: with what is wrong and what to do; never with the password.
        """
        conn = self.connect(purpose)
        try:
            self._pin(conn, plan_sql=plan_sql, read_only=read_only, statement_timeout=statement_timeout)
            conn.count_own(purpose, self.clock.monotonic)
        except BaseException:
            conn.close()
            raise
        with self._lock:
            if self._ended is None:
                self._opened.add(conn)
                return conn
        conn.close()
        raise self._ended

    def end_all(self, reason: LockgateError) -> None:
        """End every open session at once, and open none any more: ``open`` raises ``reason`` from now on.

        For a runner that may not go on. What its threads were doing fails with a lost connection.
        """
        with self._lock:
            self._ended = reason
            pids = [conn.info.backend_pid for conn in self._opened if not conn.closed]
        with contextlib.suppress(psycopg.Error, ConnectionFailed), self.connect("ending") as conn:
            conn.execute("SELECT pg_catalog.pg_terminate_backend(pid) FROM unnest(%s::int[]) AS s(pid)", (pids,))

    def with_settings(self, settings: Settings, clock: Clock | None = None) -> Self:
        """The same database with the settings of a plan, and another clock if one is given."""
        return type(self)(self.dsn, settings, clock or self.clock)

    def connect(self, purpose: str) -> OwnConnection:
        """A connection that nothing was said on yet, known not to go through a pooler."""
        conn = self._connect(purpose, OwnCursor)
        try:
            preflight.refuse_pooler(conn, self.dsn)
        except BaseException:
            conn.close()
            raise
        return conn

    def connect_through_pooler(self, purpose: str) -> OwnConnection:
        """A connection that may go through a pooler: settings hold in a transaction only, and it counts nothing.

        Parameters are put into the statements by the driver, as a pooler likes it best.
        """
        return self._connect(purpose, ClientCursor)

    def _connect(self, purpose: str, cursor: type[Cursor[Any]]) -> OwnConnection:
        given = conninfo_to_dict(self.dsn)
        defaults: dict[str, Any] = {
            "connect_timeout": 10,
            "client_encoding": "UTF8",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        options = {name: value for name, value in defaults.items() if name not in given}
        dsn = make_conninfo(self.dsn, application_name=f"lockgate:{purpose}"[:63], **options)
        try:
            return self.connection.connect(dsn, autocommit=True, prepare_threshold=None, cursor_factory=cursor)
        except psycopg.OperationalError as error:
            raise preflight.explain(error, self.dsn) from None

    def _pin(
        self, conn: Connection[Any], *, plan_sql: bool, read_only: bool, statement_timeout: timedelta | None
    ) -> None:
        pinned = {
            **PINNED,
            "lock_timeout": _milliseconds(self.settings.lock_timeout),
            "statement_timeout": _milliseconds(statement_timeout),
        }
        if read_only:
            pinned["default_transaction_read_only"] = "on"
        if plan_sql:
            del pinned["search_path"]
            pinned["lockgate.writer"] = PLAN
        names = list(pinned)
        conn.execute(
            "SELECT pg_catalog.set_config(n, v, false) FROM unnest(%s::text[], %s::text[]) AS s(n, v)",
            (names, [pinned[name] for name in names]),
        )
        # A statement whose client was killed ends within a second, instead of holding its locks to its end.
        # Not every platform of a server can do it.
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):
            conn.execute("SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)")

    def preflight(self) -> preflight.Server:
        """Look whether this database can be migrated from here at all.

        :raises ConnectionFailed: unreachable, a pooler, a replica, an unsupported version.
        """
        with self.connect("preflight") as conn:
            return preflight.examine(conn, self.dsn)


def _milliseconds(value: timedelta | None) -> str:
    return "0" if value is None else f"{max(1, round(value.total_seconds() * 1000))}ms"
