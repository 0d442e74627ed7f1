"""Who may have used tables, as far as the server tells, and what it does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.sql.words import words
from lockgate.usage.queries import load


@dataclass(frozen=True, slots=True)
class Naming:
    """Somebody whose statement names a table.

    :param statement: of the past, by pg_stat_statements; it may hold values, as COPY and other commands do. None for a
        session that is there now.
    """

    role: str
    application: str
    statement: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """Who named the tables, by the name of the table.

    :param not_looked_at: what the server does not count here, or does not show.
    """

    by: dict[str, tuple[Naming, ...]]
    not_looked_at: tuple[str, ...]


def known(conn: Connection[Any], names: Sequence[str], replicas: int = 0) -> Known:
    """Look at the sessions that are there now and, where it is installed, at pg_stat_statements.

    :param names: of tables, without their schemas.
    :param replicas: how many are looked at besides.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(load("known")).fetchone()
        assert facts is not None
        rows = [(row, False) for row in cursor.execute(load("sessions")).fetchall()]
    blind = []
    if not facts["reads_all"]:
        blind.append("statements of other roles: GRANT pg_read_all_stats would show them")
    if facts["replicas"] > replicas:
        named = f", {replicas} named in the gate" if replicas else ""
        blind.append(f"what is read on replicas ({facts['replicas']} connected{named}): each counts for itself")
    said = _statements(conn, facts["statements"])
    if said is None:
        blind.append("statements of the past: pg_stat_statements is not installed here, or not loaded")
    rows += [(row, True) for row in said or []]
    by: dict[str, list[Naming]] = {name: [] for name in names}
    for row, past in rows:
        found = words(row["query"])
        for name in names:
            if found.tell_of(name):
                by[name].append(Naming(row["role"], row["application"], row["query"] if past else None))
    return Known({name: tuple(dict.fromkeys(told)) for name, told in by.items()}, tuple(blind))


def _statements(conn: Connection[Any], schema: str | None) -> list[dict[str, Any]] | None:
    """What pg_stat_statements holds; None where it cannot be asked."""
    if schema is None:
        return None
    query = sql.SQL(load("statements").decode()).format(schema=sql.Identifier(schema))
    try:
        with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query).fetchall()
    except psycopg.Error:  # it is not in shared_preload_libraries, or this role may not ask
        return None
