"""The doctor's SQL, a file a query."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def load(name: str) -> bytes:
    """The query in ``<name>.sql``."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_bytes()
