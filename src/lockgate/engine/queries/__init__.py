"""The engine's SQL: a statement a file, beside this module."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def load(name: str) -> bytes:
    """The SQL of ``name``.sql, as psycopg takes it."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_bytes()
