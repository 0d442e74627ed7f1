"""Erasing rows of one person from archived tables: exactly those, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.archive import dropping
from lockgate.archive.dropping import Archived
from lockgate.archive.queries import load
from lockgate.archive.tables import Table
from lockgate.catalog import relations
from lockgate.catalog.content import Content, Way, content
from lockgate.errors import CheckFailed, PlanError, UsageError
from lockgate.suggest import did_you_mean

# The state of a trigger in the catalog -> what makes it so.
_ENABLE = {"O": "ENABLE TRIGGER", "R": "ENABLE REPLICA TRIGGER", "A": "ENABLE ALWAYS TRIGGER"}


Rows = sql.Composed
"""A condition: the rows of a table that have a value in a column."""
_VALUE = "lockgate.erased_value"


def mean(conn: Connection[Any], value: str) -> None:
    """Let conditions of the open transaction mean this value, which thus stands in no statement."""
    conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (_VALUE, value))


def with_value(conn: Connection[Any], table: Archived, column: str, where: str) -> Rows:
    """The rows that have the value that is meant, as the column's type reads and compares it.

    :raises PlanError: if there is no such column.
    """
    relation = relations.read(conn, table.now.oid)
    found = relation.column(column)
    if found is None:
        meant = did_you_mean(column, [each.name for each in relation.columns])
        raise PlanError(f"{table.was.label} has no column {column}{meant}", where=where)
    # The operator and the type are the catalog's own words, quoted where they need it.
    return sql.SQL("({} {} CAST(pg_catalog.current_setting({}) AS {}))").format(
        sql.Identifier(found.name),
        sql.SQL(cast("Any", found.equals)),
        sql.Literal(_VALUE),
        sql.SQL(cast("Any", found.plain_type)),
    )


def count(conn: Connection[Any], table: Archived, rows: Rows, where: str) -> int:
    """How many there are.

    :raises UsageError: if the value is none of the column's type, or values of it cannot be compared; never shows it.
    """
    query = sql.SQL("SELECT count(*) FROM ONLY {} WHERE {}").format(table.now.named(), rows)
    try:
        row = conn.execute(query).fetchone()
    except psycopg.errors.UndefinedFunction:
        raise UsageError(f"Values of this column of {table.was.label} cannot be compared", where=where) from None
    except psycopg.DataError:
        why = "It is not shown: it may tell who it is."
        raise UsageError(f"The value is none of the column's type in {table.was.label}", where=where, why=why) from None
    assert row is not None
    return int(row[0])


def in_order(conn: Connection[Any], tables: Sequence[Archived]) -> list[Archived]:
    """Those that refer to others of them first; in a circle as they were given."""
    by_oid = {table.now.oid: table for table in tables}
    graph: dict[int, set[int]] = {oid: set() for oid in by_oid}
    for child, parent in conn.execute(load("erasing.referring"), {"oids": list(by_oid)}):
        graph[parent].add(child)
    try:
        return [by_oid[oid] for oid in TopologicalSorter(graph).static_order()]
    except CycleError:
        return list(tables)


def beside(conn: Connection[Any], found: Mapping[int, tuple[Archived, Rows]], where: str) -> list[Table]:
    """The archived tables whose rows the server would look for to have them go or change, too; they have none such.

    To be asked when nobody can write to any of them.

    :raises PlanError: if rows of a table that was not named would go or change.
    """
    others: list[Table] = []
    for key in conn.cursor(row_factory=dict_row).execute(load("erasing.acting"), {"oids": list(found)}).fetchall():
        child = Table(key["oid"], key["schema"], key["name"])
        table, rows = found[key["parent"]]
        if key["archived"]:
            lock(conn, [child])
            others.append(child)
            query = sql.SQL(
                "SELECT EXISTS (SELECT FROM ONLY {} c JOIN (SELECT * FROM ONLY {} WHERE {}) p ON {})"
            ).format(child.named(), table.now.named(), rows, sql.SQL(key["pairs"]))
            row = conn.execute(query).fetchone()
            if row is not None and not row[0]:
                continue
        raise PlanError(
            f"Rows of {child.label} would go or change with those of {table.was.label}",
            where=where,
            why=f"Its foreign key {key['key']} says so, and it was not named, or has rows without the value.",
            hint="Erase its rows first, by the column in which it refers to them."
            if key["archived"]
            else "Drop that foreign key: the table is not archived, and refers to one that is.",
        )
    return others


def lock(conn: Connection[Any], tables: Sequence[Table]) -> None:
    """Have nobody write to them until the open transaction ends; they can be read."""
    names = sql.SQL(", ").join(table.named() for table in tables)
    conn.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))


def refuse_rules(conn: Connection[Any], table: Archived, where: str) -> None:
    """:raises PlanError: if a rule says what else a DELETE does, or instead."""
    if names := [str(row[0]) for row in conn.execute(load("erasing.rules"), {"oid": table.now.oid})]:
        raise PlanError(
            f"{table.was.label} has a rule for DELETE: {', '.join(names)}",
            where=where,
            why="Nobody knows what it does with the rows that are erased.",
            hint="Drop the rule, then run this again.",
        )


@contextmanager
def writable(conn: Connection[Any], tables: Sequence[Table]) -> Iterator[None]:
    """Switch off what refuses writes to them and all that might run with one, for this transaction alone.

    The tables are locked, so nobody else can write to them before it ends, and then all is as it was. A trigger
    of the application must not run: it may write down elsewhere what is erased.
    """
    was = [
        (table, str(name), str(state))
        for table in tables
        for name, state in conn.execute(load("erasing.triggers"), {"oid": table.oid}).fetchall()
    ]
    for table, name, _ in was:
        _alter(conn, table, "DISABLE TRIGGER", name)
    yield
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with deferred checks still to be made cannot be altered
    for table, name, state in was:
        _alter(conn, table, _ENABLE[state], name)


def _alter(conn: Connection[Any], table: Table, verb: str, trigger: str) -> None:
    statement = sql.SQL("ALTER TABLE {} {} {}")
    conn.execute(statement.format(table.named(), sql.SQL(cast("Any", verb)), sql.Identifier(trigger)))


def remainder(conn: Connection[Any], table: Archived, rows: Rows) -> Content:
    """What the table holds but for these rows; reads all of it."""
    without = sql.SQL("{} IS NOT TRUE").format(rows)
    return content(conn, table.now.oid, _way(table), only=without)


def delete(conn: Connection[Any], table: Archived, rows: Rows) -> int:
    """Delete them; how many they were."""
    return conn.execute(sql.SQL("DELETE FROM ONLY {} WHERE {}").format(table.now.named(), rows)).rowcount


def measured(conn: Connection[Any], table: Archived, expected: Content, where: str) -> Content:
    """What the table holds afterwards; reads all of it.

    :raises CheckFailed: if it is not what was to be left, or could be written to.
    """
    now = content(conn, table.now.oid, _way(table))
    if (now.rows, now.hash) != (expected.rows, expected.hash):
        raise CheckFailed(
            f"Other rows of {table.was.label} would go or change, too; nothing was erased",
            where=where,
            why=f"{expected.rows} rows were to be left as they are; it would have {now.rows}, or others.",
            hint="A foreign key with ON DELETE CASCADE, SET NULL or SET DEFAULT does that: erase the rows that refer "
            "to them first, by the column in which they do.",
        )
    state = dropping.state(conn, table.now)
    if not state.guarded:
        raise CheckFailed(f"{table.was.label} would not be read-only again; nothing was erased", where=where)
    return now


def keep(
    conn: Connection[Any],
    plan: str,
    table: Archived,
    *,
    request: UUID,
    column: str,
    rows: int,
    left: Content,
    because: str,
    by: str,
    at: datetime,
) -> None:
    """Write into the ledger what was erased and what is left, in the transaction that did it."""
    values = {
        "request": request,
        "archived": table.id,
        "plan": plan,
        "from_schema": table.was.schema,
        "name": table.was.name,
        "to_schema": table.now.schema,
        "by_column": column,
        "rows": rows,
        "rows_before": table.rows,
        "content_before": table.content,
        "rows_after": left.rows,
        "content_after": f"{left.way}:{left.hash}",
        "measured_by": left.query,
        "because": because,
        "erased_by": by,
        "erased_at": at,
    }
    conn.execute(load("erasing.measured"), values)
    conn.execute(load("erasing.keep"), values)


def done(conn: Connection[Any], request: UUID) -> dict[int, int]:
    """How many rows a request has erased, by the number of the table's stay in the archive."""
    return {int(archived): int(rows) for archived, rows in conn.execute(load("erasing.done"), {"request": request})}


def since(conn: Connection[Any], labels: Sequence[str], at: datetime) -> list[tuple[str, int, list[str]]]:
    """Tables of these names from which rows were erased after a time: the name, how many, and why."""
    found = conn.execute(load("erasing.since"), {"labels": list(labels), "at": at}).fetchall()
    return [(str(label), int(rows), list(because)) for label, rows, because in found]


def _way(table: Archived) -> Way:
    return cast(Way, table.content.partition(":")[0])
