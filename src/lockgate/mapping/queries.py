"""The .sql files of this package, and asking for a number."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from psycopg import Connection


@cache
def load(name: str) -> bytes:
    """Return the text of ``<name>.sql``."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_bytes()


def first_number(conn: Connection[Any], statement: str, *values: Any) -> int:
    """The first value of the first row; 0 where there is no row."""
    row = conn.execute(statement.encode(), values or None).fetchone()
    return int(row[0]) if row else 0
