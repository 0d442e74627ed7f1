"""The SQL of this package, in .sql files beside it."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import namedtuple_row

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """A query of ``known.sql``."""
    return sqlfiles.load("lockgate.discover", f"known.{name}")


def rows(conn: Connection[Any], name: str, **values: Any) -> list[Any]:
    """The rows of a query, their columns as attributes."""
    return list(conn.cursor(row_factory=namedtuple_row).execute(load(name), values or None))
