"""Fuzzy search: parties whose name is like a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

SEARCH = (Path(__file__).parent / "queries" / "search.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Match:
    """A party.

    :ivar score: how alike its name is, 0 to 1.
    """

    id: str
    name: str
    score: float


def find_parties(conn: psycopg.Connection[Any], name: str, limit: int = 10) -> list[Match]:
    """The parties whose name is most like ``name``, the best first."""
    with conn.cursor(row_factory=class_row(Match)) as cursor:
        return cursor.execute(SEARCH, {"name": name, "limit": limit}).fetchall()
