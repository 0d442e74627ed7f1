"""Makes the database of before, and later fills the new tables with a year of use: on the server's side, by seed.

The same seed and scale yield the same rows on every server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from .counts import Counts, counts

HERE = Path(__file__).parent
BEFORE = ("users", "documents")
YEAR = ("parties", "roles", "commitments", "signals", "document_links", "interactions")

Report = Callable[[str], None]


def _nothing(_: str) -> None:
    return None


def generate(conn: psycopg.Connection[Any], scale: float = 1.0, seed: int = 1, *, report: Report = _nothing) -> Counts:
    """Make the application's tables of before, ``users`` and ``documents``, and fill them.

    :param conn: an autocommit connection to a UTF-8 database without these tables.
    :param report: told the name of each stage as it starts.
    :raises ValueError: if the scale is too small.
    :raises psycopg.Error: if the server refuses something, for example because ``documents`` exists.
    """
    rows = counts(scale)
    report("tables")
    conn.execute(_sql("before/schema"))
    _fill(conn, "before", BEFORE, rows, seed, report)
    return rows


def fill(
    conn: psycopg.Connection[Any],
    scale: float = 1.0,
    seed: int = 1,
    *,
    tables: Iterable[str] = YEAR,
    rows: Counts | None = None,
    report: Report = _nothing,
) -> Counts:
    """Fill the tables that the revisions make, as a year of use would.

    :param tables: of :data:`YEAR`, those to fill.
    :param rows: how many there are of each; left out: as the scale says.
    :raises ValueError: if the scale is too small.
    """
    rows = rows or counts(scale)
    wanted = set(tables)
    _fill(conn, "year", [name for name in YEAR if name in wanted], rows, seed, report)
    return rows


def _fill(
    conn: psycopg.Connection[Any], folder: str, tables: Iterable[str], rows: Counts, seed: int, report: Report
) -> None:
    conn.execute("SELECT set_config('life_graph.seed', %s, false)", (str(seed),))
    if conn.execute("SELECT to_regprocedure('pg_temp.number(text, bigint)')").fetchone() == (None,):
        conn.execute(_sql("functions"))
    given = {"seed": seed, **rows.as_parameters()}
    with psycopg.ClientCursor(conn) as cursor:
        for name in tables:
            report(name)
            cursor.execute(_sql(f"{folder}/{name}"), given)
            conn.execute(f"ANALYZE {name}".encode())


def _sql(name: str) -> str:
    return (HERE / f"{name}.sql").read_text(encoding="utf-8")
