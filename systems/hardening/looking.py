"""What the database is like: before the plan, after it, and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from .counts import counts, planted

QUERIES = Path(__file__).parent / "queries"

Object = tuple[str, str, str]
"""Table, kind, and name: a kind is `check`, `foreign key`, `unique index`, `index`, `default` or `setting`."""


@dataclass(frozen=True, slots=True)
class State:
    """What is in the tables that the plan changes.

    :ivar duplicates: rows of core.entity_phones that are too many; ``planted_duplicates`` are the generator's.
    :ivar states: states that are not two capitals; ``zip_codes``: that are not eight digits.
    :ivar with_e164: rows whose phone_e164 is filled.
    :ivar phones: stands for every value of the generator's rows of core.entity_phones; ``addresses`` likewise.
    """

    duplicates: int
    planted_duplicates: int
    states: int
    zip_codes: int
    with_e164: int
    phones: str
    addresses: str


def look(conn: psycopg.Connection[Any], scale: float) -> State:
    """What is there.

    :param scale: of the generator; rows that others made since are told apart by it.
    """
    with conn.transaction(), conn.cursor(row_factory=class_row(State)) as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'")  # of rows as text
        cursor.execute((QUERIES / "state.sql").read_bytes(), {"last_phone": last_phone(scale)})
        row = cursor.fetchone()
    assert row is not None
    return row


def last_phone(scale: float) -> int:
    """The largest id of the generator's rows of core.entity_phones."""
    return counts(scale).phones + planted(scale).surplus_phones


def validate(conn: psycopg.Connection[Any], since: datetime) -> dict[str, int]:
    """What must be 0 after the plan, each by its name.

    :param since: when the service's storage was switched on; what was stored before knows of no confidence.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute((QUERIES / "validation.sql").read_bytes(), {"since": since}).fetchone()
    assert row is not None
    return dict(row)


def objects(conn: psycopg.Connection[Any]) -> frozenset[Object]:
    """What hangs on each table."""
    return frozenset(conn.execute((QUERIES / "objects.sql").read_bytes()).fetchall())
