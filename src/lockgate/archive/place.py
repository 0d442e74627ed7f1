"""The archive schema and its two views, which outlive the tables that they tell of."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from lockgate.archive.queries import load
from lockgate.errors import PlanError

_COMMENT = "Archived tables, read-only. Made by Lockgate, which removes it when the last one has left."
VIEWS = ("safe_to_drop", "size_report")
_VIEW_COMMENT = "Written by Lockgate from its ledger."


def prepare(conn: Connection[Any], schema: str, where: str) -> None:
    """Make the schema, which nobody else may use, if it is not there; and its views. In the open transaction.

    :raises PlanError: if something of somebody else has the name of a view.
    """
    for view in VIEWS:
        if _comment(conn, schema, view) not in {None, _VIEW_COMMENT}:
            raise PlanError(
                f"{schema}.{view} is there and is not Lockgate's",
                where=where,
                why="The archive has a view of that name.",
                hint="Rename it, or archive `into` another schema.",
            )
    if not _count(conn, "views.schema", schema):
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        conn.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(_COMMENT)))
    for view in VIEWS:
        query = sql.SQL(load(f"views.{view}").decode()).format(schema=sql.Literal(schema))
        name = sql.Identifier(schema, view)
        conn.execute(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(name, query))
        conn.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(name, sql.Literal(_VIEW_COMMENT)))


def clear(conn: Connection[Any], schema: str) -> None:
    """Remove the views when no table is left in the archive, and the schema if we made it and it is empty."""
    row = conn.execute(load("tables.in_schema"), {"schema": schema}).fetchone()
    if (row and row[0]) or not _count(conn, "views.schema", schema):
        return
    for view in VIEWS:
        if _comment(conn, schema, view) == _VIEW_COMMENT:
            conn.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
    if _count(conn, "views.ours", schema) and not _count(conn, "views.left", _quoted(conn, schema)):
        conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def _comment(conn: Connection[Any], schema: str, view: str) -> str | None:
    """The comment of what has this name, empty if it has none; None if nothing has the name."""
    row = conn.execute(load("views.view"), {"schema": schema, "view": view}).fetchone()
    return str(row[0]) if row else None


def _quoted(conn: Connection[Any], schema: str) -> str:
    return sql.Identifier(schema).as_string(conn)


def _count(conn: Connection[Any], query: str, schema: str) -> int:
    row = conn.execute(load(query), {"schema": schema, "comment": _COMMENT}).fetchone()
    return int(row[0]) if row else 0
