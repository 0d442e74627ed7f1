"""The engine's SQL: a statement a file, beside this module."""

from __future__ import annotations

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """The SQL of ``name``.sql, as psycopg takes it."""
    return sqlfiles.load(__name__, name)
