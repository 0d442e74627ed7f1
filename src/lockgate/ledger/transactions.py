"""How the ledger uses a connection that belongs to somebody else."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus


def joined(conn: Connection[Any]) -> AbstractContextManager[object]:
    """The transaction that is open on ``conn``, or one of its own on an autocommit connection where none is.

    No savepoint inside an open transaction: an error fails the caller's transaction, as it should.
    """
    return conn.transaction() if _between(conn) else nullcontext()


def require_open(conn: Connection[Any], what: str) -> None:
    """For locks that mean nothing when they end with their own statement.

    :raises RuntimeError: when no transaction is open on ``conn``: the caller has a fault.
    """
    if _between(conn):
        raise RuntimeError(f"{what} needs an open transaction")


def _between(conn: Connection[Any]) -> bool:
    """The next statement would be a transaction of its own."""
    return conn.autocommit and conn.info.transaction_status is TransactionStatus.IDLE
