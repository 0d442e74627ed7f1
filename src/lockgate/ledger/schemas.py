"""Descriptions of schemas that something was decided for, by their hash."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from lockgate.ledger.queries import load


def keep(conn: Connection[Any], digest: str, description: str) -> None:
    """Keep a description, unless that of this hash is there."""
    conn.execute(load("schemas.keep"), {"digest": digest, "description": description})


def find(conn: Connection[Any], digest: str) -> str | None:
    """The description of this hash, if it was kept."""
    found = conn.cursor(row_factory=scalar_row).execute(load("schemas.find"), {"digest": digest}).fetchone()
    return None if found is None else str(found)
