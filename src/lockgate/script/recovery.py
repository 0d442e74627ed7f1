"""Undone, half done or done: what a statement outside a transaction left in the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from psycopg import Connection, errors, sql
from psycopg.rows import namedtuple_row

from lockgate.engine import queries
from lockgate.errors import DatabaseError, LockNotAcquired
from lockgate.script.located import Located
from lockgate.script.statements import Alone, Shape

DONE_ALREADY = (
    errors.DuplicateDatabase,
    errors.DuplicateObject,
    errors.UndefinedObject,
    errors.InvalidCatalogName,
)
"""Errors which say, of a statement that a killed run had begun, that it had succeeded."""


class Found(Enum):
    """How far a statement is."""

    UNDONE = "undone"
    HALF = "half done"
    DONE = "done"


def look(conn: Connection[Any], item: Located, *, resumed: bool) -> Found:
    """How far the statement is.

    :param resumed: whether a former run had begun it.
    :raises DatabaseError: if the name of the index is taken.
    :raises LockNotAcquired: if somebody else is building it now.
    """
    known = item.shape
    match known.alone:
        case Alone.CREATE_INDEX:
            return _look_for_index(conn, item, resumed=resumed)
        case Alone.DROP_INDEX:
            missing = not any(_exists(conn, name) for name in known.names)
            return Found.DONE if missing and resumed else Found.UNDONE
        case Alone.REINDEX:
            return Found.HALF if _leftovers(conn, known) else Found.UNDONE
        case Alone.DETACH:
            pending = _detach_pending(conn, known)
            if pending is None:
                return Found.DONE if resumed else Found.UNDONE
            return Found.HALF if pending else Found.UNDONE
    return Found.UNDONE


def clean(conn: Connection[Any], known: Shape) -> Found:
    """Remove what is half done, or finish it; how far the statement is then.

    Does nothing where nothing is half done.
    """
    match known.alone:
        case Alone.CREATE_INDEX:
            index = _index(conn, known)
            if index is not None and index.here and not index.valid and index.builder is None:
                _drop(conn, [(index.schema, index.name)])
        case Alone.REINDEX:
            _drop(conn, _leftovers(conn, known))
        case Alone.DETACH:
            if _detach_pending(conn, known) and known.relation:
                text = f"ALTER TABLE {known.relation} DETACH PARTITION {known.names[0]} FINALIZE"
                conn.execute(text.encode())
                return Found.DONE
    return Found.UNDONE


def verify(conn: Connection[Any], item: Located) -> None:
    """Look whether the statement has done what it says.

    :raises DatabaseError: if an index is missing, or INVALID.
    """
    known = item.shape
    if known.alone is Alone.CREATE_INDEX:
        index = _index(conn, known)
        if index is None or not index.valid:
            state = "not there" if index is None else "INVALID"
            raise DatabaseError(
                f"Index {known.names[0]} is {state} after its build",
                where=item.where,
                why="Another session changed it meanwhile.",
                hint="Run `lockgate apply` again: it is built anew.",
            )


def _look_for_index(conn: Connection[Any], item: Located, *, resumed: bool) -> Found:
    known = item.shape
    index = _index(conn, known)
    if index is None:
        return Found.UNDONE
    if not index.here:
        raise DatabaseError(
            f"The name of index {known.names[0]} is taken",
            where=item.where,
            why=f"{index.schema}.{index.name} belongs to {index.owner}.",
            hint="Choose another name.",
        )
    if index.valid:
        if resumed or known.lenient:
            return Found.DONE
        raise DatabaseError(
            f"Index {known.names[0]} exists already",
            where=item.where,
            why="It is there and valid, and this step did not build it.",
            hint="Write IF NOT EXISTS to take it as it is, or choose another name.",
        )
    if index.builder is not None:
        raise LockNotAcquired(
            f"Index {known.names[0]} is being built by somebody else",
            where=item.where,
            why=f"Process {index.builder} works on it.",
            hint="Wait until it has ended, then run `lockgate apply` again.",
        )
    return Found.HALF


def _index(conn: Connection[Any], known: Shape) -> Any:
    if not known.names:
        return None
    cursor = conn.cursor(row_factory=namedtuple_row)
    return cursor.execute(queries.load("index_state"), {"name": known.names[0], "relation": known.relation}).fetchone()


def _leftovers(conn: Connection[Any], known: Shape) -> list[tuple[str, str]]:
    schema = None if known.relation else (known.names[0] if known.names else None)
    values = {"relation": known.relation, "schema": schema}
    return [(row[0], row[1]) for row in conn.execute(queries.load("reindex_leftovers"), values)]


def _exists(conn: Connection[Any], name: str) -> bool:
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row is not None and bool(row[0])


def _detach_pending(conn: Connection[Any], known: Shape) -> bool | None:
    """None: it is no partition (any more)."""
    row = conn.execute(
        "SELECT inhdetachpending FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)",
        (known.relation, known.names[0]),
    ).fetchone()
    return None if row is None else bool(row[0])


def _drop(conn: Connection[Any], indexes: Sequence[tuple[str, str]]) -> None:
    for schema, name in indexes:
        conn.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name)))
