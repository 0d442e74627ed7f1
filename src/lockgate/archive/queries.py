"""The archive's SQL: ``tables.sql`` and ``views.sql`` hold queries under ``-- name:`` lines."""

from __future__ import annotations

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """The query ``noun.name``, such as ``tables.find``."""
    return sqlfiles.load("lockgate.archive", name)
