"""Connections that write down what Lockgate itself does to tables that are sampled.

The server counts a transaction's scans and rows some time after its end, those of one that was rolled back too. Until
then the session that did them can see them. So the message that ends a transaction also writes them into the ledger,
and then has them counted at once: whoever reads the counters first and the ledger afterwards finds all of it there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection, Cursor, IsolationLevel, Rollback, Transaction, sql
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import Row

from lockgate.usage.queries import load

T = TypeVar("T")

_log = logging.getLogger(__name__)
_ASK_AGAIN = 10.0  # seconds until a session that need not count looks whether it must now
_LEVELS = {
    IsolationLevel.READ_UNCOMMITTED: "READ UNCOMMITTED",
    IsolationLevel.READ_COMMITTED: "READ COMMITTED",
    IsolationLevel.REPEATABLE_READ: "REPEATABLE READ",
    IsolationLevel.SERIALIZABLE: "SERIALIZABLE",
}


class OwnCursor(Cursor[Row]):
    """A statement outside a transaction gets one, so that what it does can be seen at its end."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        """Like the driver's."""
        plain = super().execute
        return _of(self).counted(lambda: plain(*args, **kwargs))

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        """Like the driver's."""
        plain = super().executemany
        _of(self).counted(lambda: plain(*args, **kwargs))


class OwnConnection(Connection[Any]):
    """An autocommit connection that counts its own work where the ledger watches tables; else it is the driver's."""

    _purpose = ""
    _monotonic: Callable[[], float] | None = None
    _asked = 0.0
    _lost = False
    _sending = False
    _uncounted = False
    own_session: UUID | None = None

    def count_own(self, purpose: str, monotonic: Callable[[], float]) -> None:
        """Count from now on, as soon as there is anything to be counted.

        :param purpose: what the connection is for.
        """
        self._purpose, self._monotonic = purpose, monotonic
        self._look(late=False)

    @contextlib.contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        """Like the driver's; one that is no savepoint ends with what was done in it being written down."""
        if not self._counts():
            with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
            return
        self._say(self._beginning())
        try:
            yield Transaction(self)
        except BaseException as error:
            self._roll_back()
            if isinstance(error, Rollback):
                return
            raise
        if force_rollback:
            self._roll_back()
        else:
            self._commit()

    def counted(self, work: Callable[[], T]) -> T:
        """Run one statement; in a transaction of its own if none is open and it may be in one."""
        if not self._counts():
            return work()
        try:
            with self.transaction():
                return work()
        except (psycopg.errors.ActiveSqlTransaction, psycopg.errors.InvalidTransactionTermination):
            # It was refused as a whole: CREATE INDEX CONCURRENTLY, VACUUM, a CALL that commits.
            return self._apart(work)

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """For a block that reads only what nobody watches: the catalog, and the ledger.

        To count takes a look at every table that is watched, of which there may be thousands.
        """
        before, self._uncounted = self._uncounted, True
        try:
            yield
        finally:
            self._uncounted = before

    def lose(self) -> None:
        """Say that something was done that could not be counted."""
        self._lost = True
        if self.own_session is not None:
            self._try(load("own.lose"))

    def close(self) -> None:
        """Like the driver's."""
        if self.own_session is not None and not self.closed and self._alive():
            self._leave()
        super().close()

    # --- the ends of transactions -----------------------------------------------------------------------------

    def _beginning(self) -> bytes:
        modes = [f"ISOLATION LEVEL {_LEVELS[self.isolation_level]}"] if self.isolation_level is not None else []
        if self.read_only is not None:
            modes.append("READ ONLY" if self.read_only else "READ WRITE")
        return " ".join(["BEGIN", *modes]).encode()

    def _commit(self) -> None:
        if self._status() is TransactionStatus.INERROR:
            self._end(b"ROLLBACK")
            return
        try:
            # What constraints left for the end reads tables too, and may fail: a failed COMMIT could not be counted.
            self._say(b"SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error:
            self._roll_back()
            raise
        self._end(b"COMMIT")

    def _roll_back(self) -> None:
        """As the driver does it: nothing hides the error that is on its way."""
        if self.closed or not self._alive():
            return
        try:
            self._end(b"ROLLBACK")
        except psycopg.Error as error:
            _log.warning("error ignored in rollback of %s: %s", self, error)

    def _end(self, verb: bytes) -> None:
        try:
            told = self._say(self._query(load("own.end"), verb=sql.SQL(verb.decode())))
        except psycopg.Error:
            if not self._alive() or self._status() is not TransactionStatus.INERROR:
                raise
            self._say(b"ROLLBACK")  # the work's transaction has ended; its counting has not
            self.lose()
            return
        told.nextset()
        told.nextset()
        self._heed(told)

    def _apart(self, work: Callable[[], T]) -> T:
        self._sending = True
        try:
            with self.pipeline():  # the server counts at the end of all that is sent together
                result = work()
                told = Cursor(self).execute(self._query(load("own.count")))
        except psycopg.Error:
            if self._alive():
                self.lose()
            raise
        finally:
            self._sending = False
        self._heed(told)
        return result

    def _heed(self, told: Cursor[Any]) -> None:
        row = told.fetchone()
        if row is None or not row[0]:
            self.lose()

    # --- whether there is anything to count ---------------------------------------------------------------------

    def _counts(self) -> bool:
        if self._monotonic is None or self._lost or self._sending or self._uncounted or self.closed:
            return False
        if self._status() is not TransactionStatus.IDLE:
            return False
        if self.own_session is None and self._monotonic() - self._asked >= _ASK_AGAIN:
            self._look(late=True)
        return self.own_session is not None

    def _look(self, *, late: bool) -> None:
        assert self._monotonic is not None
        self._asked = self._monotonic()
        if not self._value(load("own.may_count")) or not self._value(load("own.watching")):
            return
        session = uuid4()
        begin = sql.SQL(load("own.begin").decode()).format(
            session=sql.Literal(str(session)), purpose=sql.Literal(self._purpose), late=sql.Literal(late)
        )
        if self._try(begin):
            self.own_session = session

    def _leave(self) -> None:
        match self._status():
            case TransactionStatus.INTRANS | TransactionStatus.INERROR:
                self._roll_back()
            case TransactionStatus.IDLE:
                pass
            case _:
                return
        if not self._lost:
            self._try(b"BEGIN READ WRITE; " + load("own.close") + b"; COMMIT")

    # --- small things -------------------------------------------------------------------------------------------

    def _try(self, query: bytes | sql.Composed) -> bool:
        """Whether it could be done; the connection is as it was."""
        try:
            self._say(self._query(query) if isinstance(query, bytes) else query)
        except psycopg.Error:
            with contextlib.suppress(psycopg.Error):
                if self._status() is TransactionStatus.INERROR:
                    self._say(b"ROLLBACK")
            return False
        return True

    def _query(self, query: bytes, **parts: sql.Composable) -> sql.Composed:
        return sql.SQL(query.decode()).format(session=sql.Literal(str(self.own_session)), **parts)

    def _say(self, query: bytes | sql.Composed) -> Cursor[Any]:
        return Cursor(self).execute(query)

    def _value(self, query: bytes) -> Any:
        row = self._say(query).fetchone()
        return row[0] if row else None

    def _status(self) -> TransactionStatus:
        return self.info.transaction_status

    def _alive(self) -> bool:
        return self.pgconn.status == ConnStatus.OK


def _of(cursor: Cursor[Any]) -> OwnConnection:
    connection = cursor.connection
    assert isinstance(connection, OwnConnection)
    return connection


def uncounted(conn: Connection[Any]) -> contextlib.AbstractContextManager[None]:
    """:meth:`OwnConnection.uncounted`, on whatever connection."""
    return conn.uncounted() if isinstance(conn, OwnConnection) else contextlib.nullcontext()
