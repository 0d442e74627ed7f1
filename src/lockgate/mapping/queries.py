"""The .sql files of this package."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def load(name: str) -> bytes:
    """Return the text of ``<name>.sql``."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_bytes()
