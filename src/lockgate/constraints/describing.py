"""The statements that add a constraint to a table that is not partitioned."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.wanted import Kind, Wanted, not_null
from lockgate.indexing.state import look_for
from lockgate.script.located import Located


def statements(wanted: Wanted, conn: Connection[Any] | None = None) -> list[Located]:
    """As they are run, one after the other. Nothing is written.

    :param conn: tells which columns of a primary key may hold a NULL; None: as if none might.
    """
    match wanted.kind:
        case Kind.NOT_NULL:
            standing_in = wanted.standing_in(f"{wanted.name}_not_null")
            return [standing_in.added_unproved(), standing_in.proved(), wanted.added()]
        case Kind.CHECK | Kind.FOREIGN_KEY:
            return [wanted.added_unproved(), wanted.proved()]
        case Kind.UNIQUE:
            return [wanted.index().built(), wanted.added_on_index()]
        case Kind.PRIMARY_KEY:
            return [*(_nullable(conn, wanted) if conn else ()), wanted.index().built(), wanted.added_on_index()]
        case Kind.EXCLUDE:
            return [wanted.added()]


def _nullable(conn: Connection[Any], wanted: Wanted) -> list[Located]:
    """What a primary key needs before, of columns that may hold a NULL."""
    table = look_for(conn, wanted.table)
    if table is None:
        return []
    found = []
    for column in wanted.columns:
        known = state.evidence(conn, Kind.NOT_NULL, table.sql, column)
        if known is not None and not known.result["not_null"]:
            found += statements(not_null(wanted.table, column, wanted.where))
    return found
