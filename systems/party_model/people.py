"""Questions about who is in the database, and whose rows they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from .operations import KnownPerson
from .service.provider import PROVIDER

QUERIES = Path(__file__).parent / "queries"


@dataclass(frozen=True, slots=True)
class LoadRows:
    """What became of the rows of one mapping's source that a load made."""

    mapping: str
    source_rows: int
    migrated: int
    merged: int
    rejected: int
    rejected_by_reason: dict[str, int]


def known_people(conn: psycopg.Connection[Any], limit: int) -> list[KnownPerson]:
    """Some of the generator's people whose contacts a load may change."""
    query = (QUERIES / "known_people.sql").read_text(encoding="utf-8")
    return [KnownPerson(*row) for row in conn.execute(query, {"provider": PROVIDER, "limit": limit})]


def load_rows(conn: psycopg.Connection[Any]) -> list[LoadRows]:
    """What loads made, mapping by mapping."""
    query = (QUERIES / "load_rows.sql").read_text(encoding="utf-8")
    with conn.cursor(row_factory=class_row(LoadRows)) as cursor:
        return cursor.execute(query).fetchall()


def primary_addresses(conn: psycopg.Connection[Any]) -> int:
    """How many parties that no load made have a primary address."""
    row = conn.execute((QUERIES / "primary_addresses.sql").read_text(encoding="utf-8")).fetchone()
    assert row is not None
    return int(row[0])
