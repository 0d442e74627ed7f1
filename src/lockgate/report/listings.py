"""The rows that did not arrive one to one, one by one: merged, rejected, and born in the new model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from lockgate.report.model import Listing

MOST = 100
"""Rows that a listing shows."""
_COLUMNS = {
    "merged": sql.SQL("source, into_key"),
    "rejected": sql.SQL("reason, source"),
    "collides": sql.SQL("source, into_key"),
}


def collect(conn: Connection[Any], plan: str, *, show_values: bool) -> Iterator[Listing]:
    """A listing for each mapping that kept such rows, and for each table that rows were born in.

    :param show_values: whether to read the rows; else only the query that yields them is said.
    """
    kept = conn.execute(
        "SELECT DISTINCT mapping, outcome FROM lockgate.quarantine WHERE plan = %s ORDER BY 1, 2", (plan,)
    ).fetchall()
    for mapping, outcome in kept:
        query = sql.SQL(
            "SELECT {columns} FROM lockgate.quarantine WHERE plan = {plan} AND mapping = {mapping} "
            "AND outcome = {outcome} ORDER BY {columns}"
        ).format(columns=_COLUMNS[outcome], plan=plan, mapping=mapping, outcome=outcome)
        yield _listing(conn, f"{mapping}: {outcome}", query, show_values)
    targets = conn.execute("SELECT id, name FROM lockgate.sync_targets WHERE plan = %s ORDER BY id", (plan,)).fetchall()
    for number, name in targets:
        query = sql.SQL("SELECT to_jsonb(b) AS key FROM lockgate.{} AS b ORDER BY 1").format(
            sql.Identifier(f"born_{number}")
        )
        if conn.execute(sql.SQL("SELECT EXISTS ({})").format(query)).fetchone() == (True,):
            yield _listing(conn, f"{name}: born in the new model", query, show_values)


def _listing(conn: Connection[Any], what: str, query: sql.Composed, show_values: bool) -> Listing:
    text = query.as_string(conn)
    if not show_values:
        return Listing(what, text, (), False)
    rows = conn.execute(sql.SQL("{} LIMIT {}").format(query, MOST + 1)).fetchall()
    shown = tuple(tuple(_shown(value) for value in row) for row in rows[:MOST])
    return Listing(what, text, shown, len(rows) > MOST)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
