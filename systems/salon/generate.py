"""Makes the old service's database, and what the messenger had put into the new one before."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .counts import Counts, counts

_FOLDER = Path(__file__).parent
TABLES = (
    "companies",
    "clients",
    "services",
    "staff",
    "staff_schedules",
    "bookings",
    "dialog_contexts",
    "reminders",
    "messages",
)
_NEXT_ID = "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({name}, 'id'), max(id)) FROM {table}"


def generate(
    conn: psycopg.Connection[Any], scale: float = 1.0, seed: int = 1, *, messages: int | None = None
) -> Counts:
    """Make the old service's tables and rows in an empty database; say how many.

    :param conn: an autocommit connection.
    :raises ValueError: if there cannot be so many rows.
    :raises psycopg.Error: if the server refuses something, for example because a table exists.
    """
    made = counts(scale, messages)
    conn.execute(_text("old_service/schema.sql"))
    # Several statements, so the parameters are put in on this side.
    with psycopg.ClientCursor(conn) as cursor:
        cursor.execute(_text("old_service/rows.sql"), {"seed": seed % 1_000, **asdict(made)})
    for table in TABLES:
        named = {"name": sql.Literal(table), "table": sql.Identifier(table)}
        conn.execute(sql.SQL(_NEXT_ID).format(**named))
    conn.execute("VACUUM (ANALYZE)")
    return made


def prepare(conn: psycopg.Connection[Any]) -> None:
    """Make the messenger's tables and functions, which the new database holds before anything else."""
    conn.execute(_text("messenger/schema.sql"))


def _text(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
