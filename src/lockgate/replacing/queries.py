"""The package's SQL."""

from __future__ import annotations

from lockgate import sqlfiles


def load(name: str) -> bytes:
    """The text of ``file.query``."""
    return sqlfiles.load("lockgate.replacing", name)
