"""Filling the copy: generated rows in the shape of the source's, parents before children."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import gcd
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.rehearse import values
from lockgate.rehearse.source import PACKAGE, ColumnShape, Reference, TableShape

_UNKNOWN = 1000
"""Rows of a table that nobody has analyzed."""
_IN_VAIN = 50
"""Rows that are refused one by one before a table is given up."""
_ABOUT = 1.05
"""The planner's numbers are those of a sample."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A table of the copy.

    :param production: rows of the source's, as the planner counts them; None where it was never analyzed.
    :param rows: that were put in.
    :param left_out: that were generated and broke a constraint.
    :param why: what else there is to say, or why nothing was put in.
    """

    table: str
    production: int | None
    rows: int
    left_out: int = 0
    why: str | None = None


class _CannotFill(Exception):
    pass


def fill(
    conn: Connection[Any], tables: Sequence[TableShape], of: Callable[[int], int], spared: frozenset[str]
) -> list[Filled]:
    """Put rows into all tables of the copy but those ``spared``.

    :param conn: to the copy, whose triggers are not there yet.
    :param of: how many rows a table gets that has so many.
    """
    filled: dict[int, Filled] = {}
    for table in _parents_first(tables):
        if table.label in spared:
            continue
        wanted = of(table.rows if table.rows >= 0 else _UNKNOWN)
        production = table.rows if table.rows >= 0 else None
        try:
            with conn.transaction():
                rows, why = _fill(conn, table, tables, filled, wanted)
            filled[table.oid] = Filled(table.label, production, rows, wanted - rows, why)
        except _CannotFill as error:
            filled[table.oid] = Filled(table.label, production, 0, wanted, str(error))
        _past(conn, table)
    return sorted(filled.values(), key=lambda one: one.table)


def _parents_first(tables: Sequence[TableShape]) -> list[TableShape]:
    """In the order of the foreign keys; where they go in a circle, one that may be NULL is not waited for."""
    by_oid = {table.oid: table for table in tables}

    def sort(*, all_keys: bool) -> list[TableShape]:
        graph = {
            table.oid: {
                key.parent
                for key in table.references
                if key.parent != table.oid and key.parent in by_oid and (all_keys or not _may_be_null(table, key))
            }
            for table in tables
        }
        return [by_oid[oid] for oid in TopologicalSorter(graph).static_order()]

    try:
        return sort(all_keys=True)
    except CycleError:
        pass
    try:
        return sort(all_keys=False)
    except CycleError:
        return list(tables)


def _may_be_null(table: TableShape, key: Reference) -> bool:
    return any(table.column(number).nullable for number in key.columns)


def _fill(
    conn: Connection[Any],
    table: TableShape,
    tables: Sequence[TableShape],
    filled: dict[int, Filled],
    wanted: int,
) -> tuple[int, str | None]:
    """How many rows were put in, and what broke the others."""
    if not wanted:
        return 0, None
    joins: list[sql.Composable] = []
    given: dict[int, sql.Composable] = {}
    in_turn: dict[Reference, int] = {}
    for place, key in enumerate(table.references):
        if any(number in given for number in key.columns):
            continue  # two keys over one column: the first decides, and the server says whether the second agrees
        rows = filled[key.parent].rows if key.parent in filled else 0
        if not rows:
            if not _may_be_null(table, key):
                raise _CannotFill(f"{key.name} needs rows of a table that has none yet")
            given |= {n: sql.SQL("NULL") for n in key.columns if table.column(n).nullable}
            continue
        parent = next(other for other in tables if other.oid == key.parent)
        in_turn[key] = _in_turn(_referred_to(table, parent, key, rows, wanted), in_turn.values())
        join, columns = _reference(table, parent, key, place, in_turn[key])
        joins.append(join)
        given |= columns
    names: list[sql.Composable] = []
    expressions: list[sql.Composable] = []
    for column in table.columns:
        if column.generated:
            continue
        made = given.get(column.number) or _flag(table, column, wanted, in_turn)
        made = made or values.expression(table, column, wanted)
        if made is None:
            raise _CannotFill(f"nothing is known to make for column {column.name} of type {column.type}")
        names.append(sql.Identifier(column.name))
        expressions.append(made)
    if not names:
        raise _CannotFill("it has no column that can be written")
    return _insert(conn, table, names, expressions, joins, wanted)


def _reference(
    table: TableShape, parent: TableShape, key: Reference, place: int, rows: int
) -> tuple[sql.Composable, dict[int, sql.Composable]]:
    """The join to the parent's rows, and what each column of the key is of it.

    :param rows: how many of the parent's are referred to, one after the other and then again.
    """
    alias = sql.Identifier(f"p{place}")
    referred = [sql.Identifier(parent.column(number).name) for number in key.referred]
    seed = table.oid * 1000 + 500 + place
    chosen = sql.SQL("(g.i - 1) % {}").format(sql.Literal(rows))
    join = sql.SQL(
        "LEFT JOIN (SELECT {c}, row_number() OVER () AS lockgate_n FROM {t}) AS {a} ON {a}.lockgate_n = 1 + {n}"
    )
    columns = {
        number: values.or_null(sql.SQL("{}.{}").format(alias, name), table.column(number), seed)
        for number, name in zip(key.columns, referred, strict=True)
    }
    return join.format(c=sql.SQL(", ").join(referred), t=parent.named, a=alias, n=chosen), columns


def _in_turn(rows: int, others: Collection[int]) -> int:
    """As many, or a few less: prime to the others, so that the same parents meet again as late as may be."""
    return next((n for n in range(rows, rows // 2, -1) if all(gcd(n, other) == 1 for other in others)), rows)


def _flag(table: TableShape, column: ColumnShape, rows: int, in_turn: Mapping[Reference, int]) -> sql.Composable | None:
    """What at most one row of each parent has, it seems, as a person's main address: the first of each.

    :param in_turn: how many parents have rows here.
    """
    part = values.true(column)
    flagged = part * max(0, table.rows)
    parents = [
        there
        for key, there in in_turn.items()
        if len(key.columns) == 1 and 0 < flagged <= table.distinct(key.columns[0]) * _ABOUT
    ]
    return sql.SQL("g.i <= {}").format(sql.Literal(min(int(part * rows / _ABOUT), *parents))) if parents else None


def _referred_to(table: TableShape, parent: TableShape, key: Reference, rows: int, wanted: int) -> int:
    """How many of the parent's ``rows`` here the ``wanted`` ones refer to, by how many are referred to there.

    One of the two tables may be here with more of its rows than the other.
    """
    if len(key.columns) > 1 or parent.rows <= 0 or table.rows <= 0 or table.column(key.columns[0]).distinct is None:
        return rows
    share = max(rows / parent.rows, wanted / table.rows)
    return max(1, min(rows, round(table.distinct(key.columns[0]) * share)))


def _insert(
    conn: Connection[Any],
    table: TableShape,
    names: Sequence[sql.Composable],
    expressions: Sequence[sql.Composable],
    joins: Sequence[sql.Composable],
    wanted: int,
) -> tuple[int, str | None]:
    """All at once; what is refused is halved until the rows that break a constraint are alone."""
    rows, refused, why = 0, 0, None
    left = [(1, wanted)]
    while left:
        first, last = left.pop()
        span = sql.SQL("pg_catalog.generate_series({}::bigint, {}::bigint)").format(first, last)
        query = sql.SQL(
            "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {span} AS g(i) {joins} "
            "ON CONFLICT DO NOTHING"
        ).format(
            table=table.named,
            names=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join(expressions),
            span=span,
            joins=sql.SQL(" ").join(joins),
        )
        try:
            with conn.transaction():
                rows += conn.execute(query).rowcount
        except psycopg.Error as error:
            if first == last:
                refused += 1
                why = f"{error.diag.constraint_name or error.diag.message_primary}"
                if refused >= _IN_VAIN and refused > rows:
                    raise _CannotFill(f"its rows are refused: {why}") from error
                continue
            middle = (first + last) // 2
            left += [(middle + 1, last), (first, middle)]
    return rows, f"refused by {why}" if why else None


def _past(conn: Connection[Any], table: TableShape) -> None:
    """Set the sequences of a table's columns past what was put in."""
    for sequence, column in _sequences(conn, table):
        query = sql.SQL("SELECT pg_catalog.setval({}::regclass, greatest(max({}), 1)) FROM {}")
        conn.execute(query.format(sql.Literal(sequence), sql.Identifier(column), table.named))


def _sequences(conn: Connection[Any], table: TableShape) -> Iterator[tuple[str, str]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sqlfiles.load(PACKAGE, "source.sequences"), {"table": table.label})
        for row in cursor.fetchall():
            yield row["sequence"], row["column"]
