"""The .sql files of this package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load(name: str) -> bytes:
    """The query in ``name.sql``."""
    return files("lockgate.usage").joinpath(f"{name}.sql").read_bytes()
