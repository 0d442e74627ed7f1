"""The doctor's SQL, a file a query."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import namedtuple_row

from lockgate import sqlfiles


def rows(conn: Connection[Any], name: str, **values: Any) -> list[Any]:
    """The rows of the query in ``<name>.sql``, their columns as attributes."""
    return list(conn.cursor(row_factory=namedtuple_row).execute(sqlfiles.load("lockgate.doctor", name), values or None))
