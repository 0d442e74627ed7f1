"""Finding a history's table, and telling whether it is the tool's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lockgate.errors import DatabaseError
from lockgate.history.base import Home
from lockgate.history.files import HistoryError
from lockgate.sqlfiles import load

if TYPE_CHECKING:
    from psycopg import Connection


def find(conn: Connection[Any], table: str, schema: str | None = None) -> Home:
    """Where a table is: in ``schema``, or where ``conn``'s search_path finds it, or would make it.

    :raises DatabaseError: if the search_path names no schema that exists.
    """
    if schema is None:
        found = conn.execute(load("lockgate.history", "place.visible"), {"table": table}).fetchone()
        if found is not None:
            return Home(str(found[0]), table, True)
        schema = current(conn, table)
    there = conn.execute(load("lockgate.history", "place.there"), {"schema": schema, "table": table}).fetchone()
    return Home(schema, table, there is not None)


def current(conn: Connection[Any], table: str) -> str:
    """The first schema of ``conn``'s search_path that exists: where ``table`` would be made.

    :raises DatabaseError: if there is none.
    """
    row = conn.execute("SELECT pg_catalog.current_schema()").fetchone()
    if row is None or row[0] is None:
        raise DatabaseError(
            f"There is no schema in which {table} could be made",
            why="No schema of this role's search_path exists.",
            hint="Make one, or set search_path of the role or the database.",
        )
    return str(row[0])


def in_current(conn: Connection[Any], table: str, said: tuple[str, str] | None) -> Home:
    """Where a tool has its table that looks nowhere but in the current schema, unless it was said where."""
    schema, name = said or (current(conn, table), table)
    return find(conn, name, schema)


def require_columns(conn: Connection[Any], home: Home, tool: str, wanted: Iterable[str]) -> None:
    """:raises HistoryError: if the table lacks one of these columns, so that it is another tool's."""
    from psycopg import errors

    try:
        rows = conn.execute(load("lockgate.history", "place.columns"), {"schema": home.schema, "table": home.table})
    except errors.InsufficientPrivilege as error:
        raise HistoryError("The history cannot be read", where=str(home), why=str(error)) from error
    there = {str(row[0]) for row in rows}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise HistoryError(
            f"This is not a history table of {tool} that Lockgate knows",
            where=str(home),
            why=f"It has no column {', '.join(missing)}; it has {', '.join(sorted(there)) or 'none that can be seen'}.",
            hint=f"If another tool made it, name that tool; if a newer version of {tool} did, Lockgate must learn it.",
        )
