"""In which order tables are filled: by the foreign keys here, parents first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate import sqlfiles
from lockgate.catalog.relations import Relation
from lockgate.copying.pairs import Pair
from lockgate.errors import PlanError


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of a copied table.

    :param child: oid of the table that refers; ``parent`` is what it refers to, ``parent_sql`` its quoted name.
    :param pairs: the parent's column, the operator, the child's column.
    """

    name: str
    child: int
    parent: int
    parent_sql: str
    parent_label: str
    deferrable: bool
    pairs: list[tuple[str, str, str]]

    def matches(self, parent: str, child: str) -> str:
        """The condition that a row of the child refers to this row."""
        return " AND ".join(f"{parent}.{theirs} {equals} {child}.{own}" for theirs, equals, own in self.pairs)

    def refers(self, child: str) -> str:
        """The condition that a row of the child refers to anything."""
        return " AND ".join(f"{child}.{own} IS NOT NULL" for _, _, own in self.pairs)


@dataclass(frozen=True, slots=True)
class Unit:
    """Tables that are written in one transaction: one, or those of a circle of foreign keys, parents first."""

    pairs: tuple[Pair, ...]

    @property
    def circle(self) -> bool:
        return len(self.pairs) > 1


@dataclass(frozen=True, slots=True)
class Order:
    """:param keys: the foreign keys of all tables, to whatever they refer."""

    units: tuple[Unit, ...]
    keys: tuple[ForeignKey, ...]

    @property
    def pairs(self) -> list[Pair]:
        """All tables, parents first."""
        return [pair for unit in self.units for pair in unit.pairs]

    def of(self, pair: Pair) -> list[ForeignKey]:
        """The foreign keys by which a table refers to others."""
        return [key for key in self.keys if key.child == pair.table.oid]


def foreign_keys(conn: Connection[Any], oids: Sequence[int]) -> list[ForeignKey]:
    """The foreign keys of some tables; of those that partitions share, the one that they have it from."""
    cursor = conn.cursor(row_factory=class_row(ForeignKey))
    return cursor.execute(sqlfiles.load("lockgate.copying", "foreign_keys"), {"oids": list(oids)}).fetchall()


def order(conn: Connection[Any], pairs: Sequence[Pair], where: str) -> Order:
    """Put what is copied in order.

    :raises PlanError: for a circle that no deferrable key opens; names it.
    """
    by_oid = {pair.table.oid: pair for pair in pairs}
    groups, keys = parents_first(conn, [pair.table for pair in pairs], where)
    return Order(tuple(Unit(tuple(by_oid[table.oid] for table in group)) for group in groups), tuple(keys))


def parents_first(
    conn: Connection[Any], tables: Sequence[Relation], where: str
) -> tuple[list[list[Relation]], list[ForeignKey]]:
    """Groups of tables, each after those that it refers to; of several only if their keys go in a circle. And the keys.

    :raises PlanError: for a circle that no deferrable key opens; names it.
    """
    by_oid = {table.oid: table for table in tables}
    keys = foreign_keys(conn, list(by_oid))
    parents: dict[int, set[int]] = {oid: set() for oid in by_oid}
    for key in keys:
        if key.parent in by_oid and key.parent != key.child:
            parents[key.child].add(key.parent)
    return [list(_opened([by_oid[oid] for oid in group], keys, where)) for group in _together(parents)], keys


def _opened(circle: Sequence[Relation], keys: Sequence[ForeignKey], where: str) -> Iterator[Relation]:
    """The tables of a circle in the order that its deferrable keys leave."""
    left = {table.oid: table for table in circle}
    firm = [
        key
        for key in keys
        if not key.deferrable and key.child in left and key.parent in left and key.child != key.parent
    ]
    while left:
        free = next((oid for oid in left if not any(k.child == oid and k.parent in left for k in firm)), None)
        if free is None:
            inner = [key for key in firm if key.child in left and key.parent in left]
            raise PlanError(
                f"The foreign keys of {', '.join(table.label for table in left.values())} go in a circle",
                where=where,
                why="; ".join(f"{left[k.child].label} refers to {left[k.parent].label} by {k.name}" for k in inner),
                hint="Make one of them deferrable (ALTER TABLE ... ALTER CONSTRAINT ... DEFERRABLE): "
                "then these tables are copied in one transaction, at whose end the keys are looked at.",
            )
        yield left.pop(free)


def _together(parents: dict[int, set[int]]) -> Iterator[list[int]]:
    """The strongly connected parts of a graph, each after those that it refers to (Tarjan)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[list[int]] = []

    def visit(oid: int) -> None:
        number[oid] = low[oid] = len(number)
        stack.append(oid)
        for parent in sorted(parents[oid]):
            if parent not in number:
                visit(parent)
                low[oid] = min(low[oid], low[parent])
            elif parent in stack:
                low[oid] = min(low[oid], number[parent])
        if low[oid] == number[oid]:
            at = stack.index(oid)
            found.append(stack[at:])
            del stack[at:]

    for oid in parents:
        if oid not in number:
            visit(oid)
    return iter(found)
