"""The .sql files of this package: queries under ``-- name:`` lines."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.M)


@cache
def _queries(noun: str) -> dict[str, bytes]:
    text = files("lockgate.archive").joinpath(f"{noun}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: sql.strip().encode() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def load(name: str) -> bytes:
    """The query ``noun.name``, such as ``tables.find``."""
    noun, _, query = name.partition(".")
    return _queries(noun)[query]
