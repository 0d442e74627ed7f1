"""What a rehearsal learns of the source: catalog and statistics, in a transaction that cannot write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.errors import UsageError
from lockgate.rehearse.shapes import Shape
from lockgate.sql.ddl import ident

PACKAGE = "lockgate.rehearse"
TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
_SHAPES = 40
"""Most shapes of a column's texts; where there are more, the frequent ones say enough."""
# Canonical: CHECK ((state = ANY (ARRAY['new'::text, 'paid'::text])))
_ONE_OF = re.compile(r"= ANY \(+ARRAY\[(?P<list>.*?)\]", re.S)
_LITERAL = re.compile(r"'((?:[^']|'')*)'::")


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """A column, and what the planner knows of its values; None where it knows nothing.

    :param base: the type's own name below all domains, such as ``int4``.
    :param kind: of the type: ``b`` base, ``e`` enum, ``r`` range, ``c`` composite, ``m`` multirange.
    :param distinct: as pg_stats says it: a number, or a negative part of the rows.
    :param width: bytes.
    :param low: the lower bound of a number or date; texts have none.
    :param shapes: how its texts look, the frequent ones first.
    :param common: values that the schema names, and how often it holds them: parts of 1, the frequent ones first.
    """

    name: str
    number: int
    type: str
    base: str
    kind: str
    is_array: bool
    typmod: int
    nullable: bool
    generated: bool
    distinct: float | None
    nulls: float | None
    width: int | None
    low: str | None
    high: str | None
    shapes: tuple[Shape, ...] = ()
    common: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: numbers of the columns here, and of those in the parent."""

    name: str
    columns: tuple[int, ...]
    parent: int
    referred: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table of the source.

    :param rows: as the planner counts them; -1 if it was never analyzed.
    :param uniques: columns that are unique together; those of the primary key first.
    :param checks: columns and definition of each check constraint.
    """

    oid: int
    schema: str
    name: str
    label: str
    rows: int
    columns: tuple[ColumnShape, ...]
    references: tuple[Reference, ...]
    uniques: tuple[tuple[int, ...], ...]
    checks: tuple[tuple[tuple[int, ...], str], ...]

    @property
    def named(self) -> sql.Identifier:
        """For composing."""
        return sql.Identifier(self.schema, self.name)

    def column(self, number: int) -> ColumnShape:
        """The column of that number."""
        return next(column for column in self.columns if column.number == number)

    def is_called(self, name: str) -> bool:
        """Whether SQL means this table by a name; without a schema any of that name."""
        return name in {self.label, ident(self.name)}

    def numbers(self, names: Sequence[str]) -> tuple[int, ...]:
        """The numbers of columns; none if one of them is not there."""
        known = {column.name: column.number for column in self.columns}
        return tuple(known[name] for name in names) if all(name in known for name in names) else ()

    def distinct(self, number: int) -> float:
        """How many values a column has, as far as the planner knows; 0 if it does not."""
        found = self.column(number).distinct or 0.0
        return found if found >= 0 else -found * max(0, self.rows)


def names(conn: Connection[Any], query: str, **values: Any) -> list[str]:
    """The first column of a query of ``source.sql``."""
    return [str(row[0]) for row in conn.execute(sqlfiles.load(PACKAGE, f"source.{query}"), values)]


def tables(conn: Connection[Any]) -> list[TableShape]:
    """All tables that are not the system's, an extension's or the ledger's."""
    with conn.cursor(row_factory=dict_row) as cursor:

        def ask(query: str, **values: Any) -> Sequence[dict[str, Any]]:
            return cursor.execute(sqlfiles.load(PACKAGE, f"source.{query}"), values).fetchall()

        return [_table(row, ask) for row in ask("tables")]


def choices(checks: Sequence[tuple[tuple[int, ...], str]], number: int) -> list[str]:
    """The texts that a check constraint of this column alone lists: they are the schema's, not a row's."""
    for columns, definition in checks:
        found = _ONE_OF.search(definition) if columns == (number,) else None
        if found and (texts := _LITERAL.findall(found["list"])):
            return [text.replace("''", "'") for text in texts]
    return []


def _table(row: dict[str, Any], ask: Any) -> TableShape:
    oid = row["oid"]
    constraints = ask("constraints", oid=oid)
    checks = tuple((tuple(c["columns"] or ()), c["definition"]) for c in constraints if c["kind"] == "c")
    return TableShape(
        **row,
        columns=_columns(oid, checks, ask),
        references=tuple(
            Reference(c["name"], tuple(c["columns"]), c["parent"], tuple(c["referred"]))
            for c in constraints
            if c["kind"] == "f"
        ),
        uniques=tuple(tuple(unique["columns"]) for unique in ask("uniques", oid=oid)),
        checks=checks,
    )


def _columns(oid: int, checks: tuple[tuple[tuple[int, ...], str], ...], ask: Any) -> tuple[ColumnShape, ...]:
    columns = ask("columns", oid=oid)
    numbers = [column["number"] for column in columns]
    texts = [column["number"] for column in columns if column["base"] in TEXTS and not column["is_array"]]
    named = sorted({value for number in numbers for value in choices(checks, number)})
    shapes = ask("shapes", oid=oid, numbers=texts, most=_SHAPES) if texts else ()
    common = ask("frequencies", oid=oid, values=named)
    return tuple(
        ColumnShape(
            **column,
            shapes=tuple(
                Shape(one["mask"], one["part"], one["distinct"]) for one in shapes if one["number"] == column["number"]
            ),
            common=tuple((one["value"], one["part"]) for one in common if one["number"] == column["number"]),
        )
        for column in columns
    )


def refuse_begun(conn: Connection[Any], plan: str) -> None:
    """:raises UsageError: if the plan has begun here: what it made is told by a ledger that no copy has."""
    there = conn.execute("SELECT pg_catalog.to_regclass('lockgate.phases')").fetchone()
    begun = names(conn, "begun", plan=plan) if there and there[0] else []
    if begun:
        raise UsageError(
            "The plan has begun in this database, so it cannot be rehearsed from its beginning",
            where=f"phases {', '.join(begun)}",
            why="What its phases have made is known to the ledger only, and the copy has a ledger of its own.",
            hint="Rehearse it before its first phase, or on a database in which it has not begun.",
        )
