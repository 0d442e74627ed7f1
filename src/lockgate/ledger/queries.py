"""The ledger's SQL: ``sql/<noun>.sql`` holds the queries of one module, each under a ``-- name:`` line."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.M)


def load(name: str) -> bytes:
    """The query ``noun.name``, such as ``chunks.claim``.

    Bytes, because psycopg takes them as a query that was not pasted together at run time.

    :raises KeyError: for a name that is not in the file.
    """
    noun, _, query = name.partition(".")
    return _queries(noun)[query]


@cache
def _queries(noun: str) -> dict[str, bytes]:
    text = files("lockgate.ledger").joinpath("sql", f"{noun}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: sql.strip().encode() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
