"""The archive schema and its two views, which outlive the tables that they tell of."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from lockgate.archive.queries import load

_COMMENT = "Archived tables, read-only. Made by Lockgate, which removes it when the last one has left."
_VIEWS = ("safe_to_drop", "size_report")


def prepare(conn: Connection[Any], schema: str) -> None:
    """Make the schema, which nobody else may use, if it is not there; and its views. In the open transaction."""
    if not _count(conn, "views.schema", schema):
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        conn.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(_COMMENT)))
    for view in _VIEWS:
        query = sql.SQL(load(f"views.{view}").decode()).format(schema=sql.Literal(schema))
        conn.execute(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(sql.Identifier(schema, view), query))


def clear(conn: Connection[Any], schema: str) -> None:
    """Remove the views when no table is left in the archive, and the schema if we made it and it is empty."""
    row = conn.execute(load("tables.in_schema"), {"schema": schema}).fetchone()
    if (row and row[0]) or not _count(conn, "views.schema", schema):
        return
    for view in _VIEWS:
        conn.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(schema, view)))
    if _count(conn, "views.ours", schema) and not _count(conn, "views.left", _quoted(conn, schema)):
        conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def _quoted(conn: Connection[Any], schema: str) -> str:
    return sql.Identifier(schema).as_string(conn)


def _count(conn: Connection[Any], query: str, schema: str) -> int:
    row = conn.execute(load(query), {"schema": schema, "comment": _COMMENT}).fetchone()
    return int(row[0]) if row else 0
