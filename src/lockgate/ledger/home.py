"""The database that the ledger was written in: in any other, what it keeps means nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.errors import LedgerError
from lockgate.ledger.queries import load


def copied(conn: Connection[Any]) -> LedgerError | None:
    """Why this ledger may only be read: its rows were copied from another database; None where it is at home.

    A ledger that is older than this question, or not there, is no copy. To be asked of one that may be read.
    """
    if not _value(conn, load("home.there")):
        return None
    row = conn.execute(load("home.copied")).fetchone()
    if row is None:
        return None
    cluster, database = row
    written = f"database {database}{_of(cluster)}" if database else "another one"
    return LedgerError(
        "The ledger in this database was not written here: it was restored from a dump, or copied row by row",
        where=f"database {conn.info.dbname}{_of(_cluster(conn))}, schema lockgate",
        why=f"It was written in {written}. The transaction ids, snapshots and numbers of tables that it keeps mean "
        "nothing here: changes would be skipped or made twice.",
        hint="`lockgate uninstall --force` takes it and its triggers out of this database; your tables stay. "
        "docs/ledger.md says what else can be done.",
    )


def refuse_copied(conn: Connection[Any]) -> None:
    """To be asked before anything is done that trusts the ledger.

    :raises LedgerError: if its rows were copied from another database.
    """
    error = copied(conn)
    if error is not None:
        raise error


def _cluster(conn: Connection[Any]) -> int | None:
    """This cluster's identifier, where it is told to everybody; some hosts of PostgreSQL keep it to themselves."""
    with contextlib.suppress(psycopg.Error), conn.transaction():
        if _value(conn, load("home.may_ask")):
            return int(_value(conn, load("home.cluster")))
    return None


def _of(cluster: int | None) -> str:
    return f" of cluster {cluster}" if cluster is not None else ""


def _value(conn: Connection[Any], query: bytes) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]
