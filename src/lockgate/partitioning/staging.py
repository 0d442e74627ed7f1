"""The partitioned table that takes the place of a plain one: made empty, under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from psycopg import Connection, sql

from lockgate.partitioning.calendar import Period, literal
from lockgate.replacing import shape
from lockgate.replacing.shape import Copied


def make(
    conn: Connection[Any],
    old: int,
    source: sql.Identifier,
    schema: str,
    name: str,
    column: str,
    primary_key: Sequence[str],
) -> tuple[int, list[Copied]]:
    """Make a partitioned table like another one, in the open transaction; its number, and its indexes.

    It has columns, defaults, checks, indexes, comments, grants and owner of the other. It has no policies, sequences,
    triggers and foreign keys: these it gets with the name.
    """
    target = sql.Identifier(schema, name)
    conn.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY "
            "EXCLUDING STATISTICS) PARTITION BY RANGE ({})"
        ).format(target, source, sql.Identifier(column))
    )
    new = shape.number_of(conn, target)
    indexes = [
        shape.index(conn, each, schema, target, primary_key)
        for each in shape.rows(conn, "indexes", old)
        if each["is_valid"]
    ]
    shape.tune(conn, old, target)
    shape.dress(conn, old, new, target)
    return new, indexes


def add(
    conn: Connection[Any], old: int, target: sql.Identifier, part: sql.Identifier, period: Period | None, type_: str
) -> None:
    """Give a table that nobody uses yet a partition, in the open transaction; without a period the default one."""
    known = shape.rows(conn, "table", old)[0]
    bounds: sql.Composable = sql.SQL("DEFAULT")
    if period is not None:
        lower, upper = literal(period.start, type_), literal(period.end, type_)
        bounds = sql.SQL("FOR VALUES FROM ({}) TO ({})").format(sql.SQL(lower), sql.SQL(upper))
    conn.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(part, target, bounds))
    shape.store(conn, part, known)
    shape.tune(conn, old, part)
    shape.own(conn, sql.SQL("TABLE"), part, known["owner"])


def span(conn: Connection[Any], source: sql.Identifier, column: str, type_: str) -> tuple[date | None, date | None]:
    """The first and the last day, in UTC, of the rows whose times the calendar knows; None without rows."""
    zone = sql.SQL(" AT TIME ZONE 'UTC'" if type_ == "timestamp with time zone" else "")
    name = sql.Identifier(column)
    row = conn.execute(
        sql.SQL(
            "SELECT (min({0}){1})::date, (max({0}){1})::date FROM {2} WHERE {0} >= '0001-01-02' AND {0} < '9999-01-01'"
        ).format(name, zone, source)
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)
