"""Which plans have a history in this database."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.ledger import version

_NAMES = b"SELECT plan FROM lockgate.runs UNION SELECT plan FROM lockgate.phases ORDER BY 1"


def names(conn: Connection[Any]) -> list[str]:
    """Names of the plans that the ledger knows; none where there is no ledger."""
    if version(conn) is None:
        return []
    return [row[0] for row in conn.execute(_NAMES)]
