"""A rename of a column that is logged would make every write of the application fail: it is refused before."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.errors import PlanError
from lockgate.mapping import changelog
from lockgate.sql.renames import Rename, renamed_columns


def refuse_rename(conn: Connection[Any], text: str, where: str) -> None:
    """Look whether a statement renames a column that a change log reads by its name.

    :raises PlanError: if it does.
    """
    for rename in renamed_columns(text):
        for log in changelog.everything(conn):
            if _is_logged(conn, log.relid, log.columns, rename):
                raise PlanError(
                    f'column "{rename.column}" of {log.label} is read by a live mapping and cannot be renamed',
                    where=where,
                    why="the trigger that logs its changes names it, so every write to the table would fail",
                    hint="rename it before the mapping begins, or after it was taken back",
                )


def _is_logged(conn: Connection[Any], relid: int, columns: list[int], rename: Rename) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s AND a.attnum = ANY (%s) "
        "AND a.attname = %s AND c.relname = %s AND (n.nspname = %s OR %s = ''))",
        (relid, columns, rename.column, rename.relation, rename.schema, rename.schema),
    ).fetchone()
    return bool(row and row[0])
