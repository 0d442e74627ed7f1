"""Rows that would collide under a key that is to be unique: they are listed, and none of them is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Column
from lockgate.fitting.definition import Fitting
from lockgate.ledger import normalisations
from lockgate.ledger.normalisations import Normalisation
from lockgate.sql.tree import literal


@dataclass(frozen=True, slots=True)
class Collisions:
    """So many rows in so many groups of equal keys."""

    groups: int
    rows: int
    query: str


def count(conn: Connection[Any], fitting: Fitting) -> Collisions:
    """Count them in one statement; what is NULL in any of the columns collides with nothing, as in a unique index."""
    query = f"SELECT count(*), coalesce(sum(g.n), 0)::bigint FROM ({_groups(fitting)}) AS g"
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return Collisions(int(row[0]), int(row[1]), query)


def list_all(conn: Connection[Any], fitting: Fitting, of: Normalisation) -> Collisions:
    """List them in quarantine in the open transaction, in the place of those of before; and count them there."""
    normalisations.release(conn, of, "collides")
    names = _names(fitting)
    same = " AND ".join(f"t.{c.sql} {c.equals} g.{c.sql}" for c in fitting.unique)
    conn.execute(
        "INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, into_key) "
        f"SELECT {literal(of.plan)}, {literal(of.name)}, 'collides', {literal(f'collides under {names}')}, "
        f"{_json(fitting.key, 't')}, {_json(fitting.unique, 'g')} "
        f"FROM ({_groups(fitting)}) AS g JOIN {fitting.table.sql} AS t ON {same}".encode()
    )
    query = (
        "SELECT count(DISTINCT into_key), count(*) FROM lockgate.quarantine "
        f"WHERE plan = {literal(of.plan)} AND mapping = {literal(of.name)} AND outcome = 'collides'"
    )
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return Collisions(int(row[0]), int(row[1]), query)


def sentence(fitting: Fitting, found: Collisions) -> str:
    """What it says to people."""
    if not found.rows:
        return f"no rows collide under {_names(fitting)}"
    groups = f"{found.groups} group{'' if found.groups == 1 else 's'}"
    return f"{found.rows} rows in {groups} collide under {_names(fitting)}"


def _names(fitting: Fitting) -> str:
    return f"({', '.join(column.name for column in fitting.unique)})"


def _groups(fitting: Fitting) -> str:
    columns = ", ".join(f"t.{column.sql}" for column in fitting.unique)
    given = " AND ".join(f"t.{column.sql} IS NOT NULL" for column in fitting.unique)
    return (
        f"SELECT {columns}, count(*) AS n FROM {fitting.table.sql} AS t WHERE {given} "
        f"GROUP BY {columns} HAVING count(*) > 1"
    )


def _json(columns: Sequence[Column], alias: str) -> str:
    pairs = ", ".join(f"{literal(column.name)}, {alias}.{column.sql}::text" for column in columns)
    return f"pg_catalog.jsonb_build_object({pairs})"
