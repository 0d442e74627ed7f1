"""The .sql files of this package, a query each."""

from __future__ import annotations

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """The query in ``name.sql``."""
    return sqlfiles.load("lockgate.usage", name)
