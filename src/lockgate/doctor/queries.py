"""The doctor's SQL, a file a query."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from psycopg import Connection
from psycopg.rows import namedtuple_row


def rows(conn: Connection[Any], name: str, **values: Any) -> list[Any]:
    """The rows of the query in ``<name>.sql``, their columns as attributes."""
    return list(conn.cursor(row_factory=namedtuple_row).execute(_text(name), values or None))


@cache
def _text(name: str) -> bytes:
    return resources.files(__package__).joinpath(f"{name}.sql").read_bytes()
