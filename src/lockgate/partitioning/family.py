"""A partitioned table and its partitions as the catalog has them; names are never asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row

from lockgate.catalog import relations
from lockgate.errors import PlanError
from lockgate.partitioning.calendar import Period
from lockgate.partitioning.queries import load
from lockgate.plan.values import split_name

TYPES = ("date", "timestamp without time zone", "timestamp with time zone")
"""The types of column by whose ranges a table can be partitioned here."""


@dataclass(frozen=True, slots=True)
class Part:
    """A partition.

    :param kind: of the relation: r, p for one that is partitioned itself, f for a foreign table.
    :param pending: whether somebody began to detach it.
    :param lower: what it covers, in UTC, to ``upper``; None for the default partition.
    """

    oid: int
    schema: str
    name: str
    kind: str
    pending: bool
    is_default: bool
    lower: datetime | None
    upper: datetime | None

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema}.{self.name}"

    def named(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.name)

    def meets(self, period: Period) -> bool:
        """Whether some time of the period is in it."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower < _midnight(period.end) and self.upper > _midnight(period.start)

    def covers(self, period: Period) -> bool:
        """Whether all of the period is in it."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower <= _midnight(period.start) and self.upper >= _midnight(period.end)


@dataclass(frozen=True, slots=True)
class Family:
    """A partitioned table.

    :param column: by whose ranges it is partitioned, of one of ``TYPES``.
    """

    oid: int
    schema: str
    name: str
    owner: str
    column: str
    type: str
    parts: tuple[Part, ...]

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema}.{self.name}"

    def named(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.name)

    @property
    def default(self) -> Part | None:
        """The partition for rows that fit no other; None if there is none."""
        return next((part for part in self.parts if part.is_default), None)

    @property
    def ranges(self) -> list[Part]:
        """The others, by what they cover."""
        return [part for part in self.parts if not part.is_default]


def read(conn: Connection[Any], table: str, where: str) -> Family:
    """The partitioned table ``schema.name``, by range of one date or timestamp column.

    :raises PlanError: if there is none.
    """
    parts = split_name(table)
    assert parts is not None  # the plan's model lets no other name through
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("family.parent"), {"schema": parts[0], "name": parts[1]}).fetchone()
    if row is None:
        raise relations.unknown(conn, parts[0], parts[1], where)
    if row["kind"] != "p":
        raise PlanError(
            f"{table} is not partitioned", where=where, hint="A step `partition` of a plan makes it so, online."
        )
    if row["strategy"] != "r" or row["columns"] != 1 or row["type"] not in TYPES:
        raise PlanError(
            f"{table} is not partitioned by range of one date or timestamp column",
            where=where,
            why="Only such partitions come and go by the calendar.",
        )
    found = {key: row[key] for key in ("oid", "schema", "name", "owner", "column", "type")}
    return Family(**found, parts=read_parts(conn, row["oid"]))


def read_parts(conn: Connection[Any], oid: int) -> tuple[Part, ...]:
    """The partitions of a table now, by what they cover; the default one last."""
    with conn.cursor(row_factory=class_row(Part)) as cursor:
        return tuple(cursor.execute(load("family.parts"), {"oid": oid}).fetchall())


def _midnight(day: Any) -> datetime:
    return datetime(day.year, day.month, day.day)  # bounds are compared in UTC
