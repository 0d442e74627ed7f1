"""Tables by patterns of their names, each partitioned one as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.errors import PlanError
from lockgate.patterns import fits, split_pattern
from lockgate.suggest import nearest


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of its own, or of its partitions.

    :param names: its own and its partitions', quoted and qualified.
    :param foreign_parts: partitions whose rows are on another server.
    """

    oid: int
    schema: str
    name: str
    names: tuple[str, ...]
    foreign_parts: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name for people: schema.table."""
        return f"{self.schema}.{self.name}"


def choose(conn: Connection[Any], patterns: Sequence[str]) -> list[Table]:
    """The tables that one of the patterns stands for (``core.entity_*``); all tables for no pattern.

    :raises PlanError: for a pattern that is none, or that stands for no table.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        known = [
            _table(row) for row in cursor.execute(sqlfiles.load("lockgate.catalog", "tables.known"), {}).fetchall()
        ]
    for pattern in patterns:
        if split_pattern(pattern) is None:
            raise PlanError(
                f"{pattern} is no name of tables",
                hint='Write schema.table; * stands for any signs, and odd names are quoted: core."Odd one".',
            )
        if not any(fits(pattern, table.schema, table.name) for table in known):
            near = nearest(pattern, [table.label for table in known])
            raise PlanError(
                f"{pattern} fits no table",
                hint=f"Did you mean {near}?" if near else "Write schema.table; * stands for any signs: core.entity_*.",
            )
    return [table for table in known if not patterns or any(fits(p, table.schema, table.name) for p in patterns)]


def size(conn: Connection[Any], table: Table) -> int:
    """Bytes that it takes with its indexes, partitions included."""
    row = conn.execute(sqlfiles.load("lockgate.catalog", "tables.size"), {"oid": table.oid}).fetchone()
    assert row is not None
    return int(row[0])


def _table(row: dict[str, Any]) -> Table:
    return Table(**{**row, "names": tuple(row["names"]), "foreign_parts": tuple(row["foreign_parts"])})
