"""Traffic on the copy while the plan runs: who reads and writes the tables that were there, and how long they wait.

One session reads and one writes, a row at a time and a table after the other, as an application does that knows nothing
of the plan. What is written is what was there before, so that triggers run and rows stay as they are.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import psycopg
from psycopg import Connection, sql

from lockgate.engine.address import describe
from lockgate.engine.clock import Clock
from lockgate.engine.session import Sessions
from lockgate.engine.sqlerrors import explain
from lockgate.rehearse.source import TableShape

NAME = "lockgate rehearsal traffic"
"""``application_name`` of its sessions."""
_PAUSE = 0.005
_LONGEST = "30s"  # then a statement is given up, and counts as failed
_READ = "SELECT * FROM {} LIMIT 1"
_WRITE = "UPDATE {table} SET {column} = {column} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)"


@dataclass(frozen=True, slots=True)
class Felt:
    """What traffic of one kind on one table felt while a step ran.

    :param what: ``read`` or ``write``.
    :param longest: seconds that the slowest statement took.
    :param failed: how many failed, of ``statements``.
    :param why: the first of these failed.
    """

    relation: str
    what: str
    statements: int
    longest: float
    failed: int = 0
    why: str | None = None

    def with_one(self, seconds: float, why: str | None) -> Felt:
        """And one statement more."""
        return replace(
            self,
            statements=self.statements + 1,
            longest=max(self.longest, seconds),
            failed=self.failed + (why is not None),
            why=self.why or why,
        )


class Listener(Protocol):
    """Who is told of each statement."""

    def felt(self, relation: str, what: str, seconds: float, why: str | None) -> None:
        """One has ended."""


@dataclass(frozen=True, slots=True)
class _Statement:
    relation: str
    what: str
    query: sql.Composed


class Traffic:
    """Reads and writes tables of the copy.

    :ivar left_out: what failed before the plan began, so that it tells nothing of the plan, a line each.
    """

    def __init__(self, sessions: Sessions, tables: Sequence[TableShape], clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._by_kind: dict[str, list[_Statement]] = {"read": [], "write": []}
        self.left_out: list[str] = []
        with self._connected() as conn:
            for table in tables:
                for what, statements in (("read", [_read(table)]), ("write", _writes(table))):
                    found, why = _working(conn, statements)
                    if found is not None:
                        self._by_kind[what].append(found)
                    else:
                        self.left_out.append(f"nobody could {what} {table.label} before the plan: {why}")

    @contextlib.contextmanager
    def flowing(self, listener: Listener) -> Iterator[None]:
        """While the block runs; a statement that waits at its end is given up and not told."""
        ended = threading.Event()
        with contextlib.ExitStack() as stack:
            for what, statements in self._by_kind.items():
                if statements:
                    conn = stack.enter_context(self._connected())
                    arguments = (conn, statements, listener, ended)
                    thread = threading.Thread(target=self._flow, args=arguments, name=f"rehearsal-{what}", daemon=True)
                    thread.start()
                    stack.callback(thread.join)
                    stack.callback(conn.cancel_safe)
                    stack.callback(ended.set)
            yield

    def _flow(
        self, conn: Connection[Any], statements: list[_Statement], listener: Listener, ended: threading.Event
    ) -> None:
        while True:
            for statement in statements:
                if self._clock.wait(ended, _PAUSE):
                    return
                began, why = self._clock.monotonic(), None
                try:
                    conn.execute(statement.query)
                except psycopg.Error as error:
                    why = error.diag.message_primary or "the connection is lost"
                if conn.closed or ended.is_set():
                    return
                listener.felt(statement.relation, statement.what, self._clock.monotonic() - began, why)

    def _connected(self) -> Connection[Any]:
        try:
            conn = psycopg.connect(self._sessions.dsn, autocommit=True, application_name=NAME, prepare_threshold=None)
        except psycopg.Error as error:
            where = describe(self._sessions.dsn)
            raise explain(error, where, "Nobody can use the copy beside the plan") from error
        conn.execute(f"SET statement_timeout = '{_LONGEST}'")
        return conn


def _working(conn: Connection[Any], statements: Sequence[_Statement]) -> tuple[_Statement | None, str | None]:
    """The first that does not fail, or why the first one does."""
    why: str | None = "it has no column to write"
    for statement in statements:
        try:
            conn.execute(statement.query)
        except psycopg.Error as error:
            why = error.diag.message_primary if statement is statements[0] else why
        else:
            return statement, None
    return None, why


def _read(table: TableShape) -> _Statement:
    return _Statement(table.label, "read", sql.SQL(_READ).format(table.named))


def _writes(table: TableShape) -> list[_Statement]:
    """By each column that can be written, those that are in no key first: writing a key takes a stronger lock."""
    keys = {number for each in table.uniques for number in each}
    keys |= {number for each in table.references for number in each.columns}
    columns = sorted((each for each in table.columns if not each.generated), key=lambda each: each.number in keys)
    return [
        _Statement(table.label, "write", sql.SQL(_WRITE).format(table=table.named, column=sql.Identifier(column.name)))
        for column in columns
    ]
