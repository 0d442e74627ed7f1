"""What a step removes, and what refers to that; what cannot be done is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.catalog import relations
from lockgate.catalog.relations import Column, Relation
from lockgate.deduping.queries import load
from lockgate.errors import DatabaseError, PlanError
from lockgate.plan.models import DedupeStep, split_name
from lockgate.sql.tree import SqlSyntaxError, expression, sort_items
from lockgate.suggest import did_you_mean

At = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that refers to the table, to the one that it is a partition of, or to a partition of it.

    :param columns: of the child.
    :param referenced: columns of the table, in the same order.
    :param key: of the child: the columns of its primary key.
    """

    name: str
    child: Relation
    columns: tuple[Column, ...]
    referenced: tuple[Column, ...]
    key: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """Which rows of a table are alike, and which of them stays.

    :param key: columns that identify a row.
    :param by: columns in which rows are alike.
    :param order: ORDER BY items; the first row stays.
    :param where: condition on the rows that are looked at; empty: all.
    :param nulls_alike: whether rows that have no value in ``by`` are alike, too.
    """

    table: Relation
    key: tuple[Column, ...]
    by: tuple[Column, ...]
    order: tuple[str, ...]
    where: str
    nulls_alike: bool
    references: tuple[Reference, ...]


def validate(step: DedupeStep, at: At) -> None:
    """:raises PlanError: for SQL that is no ORDER BY item, or no condition."""
    for number, item in enumerate(step.keep):
        _parse(sort_items, item, partial(at, "keep", number))
    if step.where:
        _parse(expression, step.where, partial(at, "where"))


def _parse(parse: Callable[[str], object], text: str, at: At) -> None:
    try:
        parse(text)
    except SqlSyntaxError as error:
        raise PlanError(f"{error.what} in {text!r}", where=at(offset=error.offset or 0)) from None


def read(conn: Connection[Any], step: DedupeStep, at: At) -> Alike:
    """:raises LockgateError: with its place, if the table is not there, or rows of it cannot be removed safely."""
    table = relations.named(conn, step.dedupe, at("dedupe"))
    if table.kind not in {"r", "p"}:
        raise PlanError(f"{table.label} is no table", where=at("dedupe"), why="Rows of it cannot be removed.")
    if table.inherited and table.kind == "r":
        raise PlanError(
            f"{table.label} has tables that inherit from it",
            where=at("dedupe"),
            why="Their rows are rows of it, too, and can be alike across tables.",
            hint="Remove the surplus rows of each with a step of its own.",
        )
    own = tuple(column for name in table.primary_key if (column := table.column(name)))
    key = _columns(table, step.key, at, "key") if step.key else own
    if not key:
        raise PlanError(
            f"{table.label} has no primary key",
            where=at("dedupe"),
            why="Nothing says which row is which.",
            hint="Say by which columns: `key: [...]`, which have a unique index and no NULL.",
        )
    if not any(index.identifies(tuple(column.name for column in key)) for index in table.indexes) or not all(
        column.not_null for column in key
    ):
        raise PlanError(
            f"({', '.join(column.name for column in key)}) does not identify the rows of {table.label}",
            where=at("key"),
            why="There is no unique index on just these columns, or one of them may be NULL.",
        )
    references = tuple(_references(conn, table, at))
    _refuse_triggers([table, *(each.child for each in references)], step, at)
    return Alike(
        table,
        key,
        _columns(table, step.by, at, "by"),
        tuple(step.keep),
        step.where or "",
        step.nulls_alike,
        references,
    )


def _columns(table: Relation, names: Sequence[str], at: At, path: str) -> tuple[Column, ...]:
    found = []
    for number, name in enumerate(names):
        parts = split_name(name)
        assert parts is not None, "the plan's model lets no other name through"
        column = table.column(parts[0])
        if column is None:
            near = did_you_mean(parts[0], [column.name for column in table.columns])
            raise PlanError(f"{table.label} has no column {parts[0]}{near}", where=at(path, number))
        found.append(column)
    return tuple(found)


def _references(conn: Connection[Any], table: Relation, at: At) -> list[Reference]:
    rows = conn.cursor(row_factory=dict_row).execute(load("references.references"), {"table": table.oid}).fetchall()
    found = []
    for row in rows:
        if row["to_itself"]:
            raise DatabaseError(
                f"{table.label} refers to itself by foreign key {row['name']}",
                where=at("dedupe"),
                why="Rows that are removed may refer to each other, which this step does not put in order.",
                hint="Drop the foreign key before, and add it again with a `constraint` step.",
            )
        child = relations.read(conn, int(row["child"]))
        key = tuple(column for name in child.primary_key if (column := child.column(name)))
        if not key:
            raise DatabaseError(
                f"{child.label} refers to {table.label} and has no primary key",
                where=at("dedupe"),
                why="Nobody could say later which of its rows were made to refer to the row that stays.",
                hint=f"Give {child.label} a primary key with a `constraint` step.",
            )
        columns = tuple(child.by_number(number) for number in row["columns"])
        referenced = tuple(column for name in row["referenced"] if (column := table.column(name)))
        found.append(Reference(row["name"], child, columns, referenced, key))
    return found


def _refuse_triggers(tables: Sequence[Relation], step: DedupeStep, at: At) -> None:
    for table in tables:
        unknown = [t for t in table.triggers if t.enabled != "D" and t.name not in step.acknowledge_triggers]
        if unknown:
            raise DatabaseError(
                f'trigger "{unknown[0].name}" of {table.label} may fire for rows that Lockgate writes',
                where=at("dedupe"),
                why=f"It calls {unknown[0].function}, which may send mail, fill an outbox or change the row.",
                hint=f"acknowledge_triggers: [{', '.join(t.name for t in unknown)}]  if that is meant",
            )
