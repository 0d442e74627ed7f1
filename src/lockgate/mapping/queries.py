"""The .sql files of this package, and asking for a number."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """Return the text of ``<name>.sql``."""
    return sqlfiles.load("lockgate.mapping", name)


def first_number(conn: Connection[Any], statement: str, *values: Any) -> int:
    """The first value of the first row; 0 where there is no row."""
    row = conn.execute(statement.encode(), values or None).fetchone()
    return int(row[0]) if row else 0
