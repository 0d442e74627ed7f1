"""The ledger's SQL: ``sql/<noun>.sql`` holds the queries of one module, each under a ``-- name:`` line."""

from __future__ import annotations

from lockgate import sqlfiles

_PACKAGE = "lockgate.ledger"


def load(name: str) -> bytes:
    """The query ``noun.name``, such as ``chunks.claim``.

    :raises KeyError: for a name that is not in the file.
    """
    return sqlfiles.load(_PACKAGE, f"sql/{name}")
