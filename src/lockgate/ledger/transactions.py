"""How the ledger uses a connection that belongs to somebody else."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus


def joined(conn: Connection[Any]) -> AbstractContextManager[object]:
    """The transaction that is open on ``conn``, or one of its own where none is.

    No savepoint inside an open transaction: an error fails the caller's transaction, as it should.
    """
    if conn.info.transaction_status is TransactionStatus.IDLE:
        return conn.transaction()
    return nullcontext()


def require_open(conn: Connection[Any], what: str) -> None:
    """For locks that mean nothing when they end with their own statement.

    :raises RuntimeError: when no transaction is open on ``conn``: the caller has a fault.
    """
    if conn.autocommit and conn.info.transaction_status is TransactionStatus.IDLE:
        raise RuntimeError(f"{what} needs an open transaction")
