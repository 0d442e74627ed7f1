"""The tables that a plan means by ``core.entity_*``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.patterns import fits
from lockgate.usage.queries import load


@dataclass(frozen=True, slots=True)
class Table:
    """A table, or a partition of one, that is asked about.

    :param counted: whether the server counts its reads and writes: not those of a foreign table.
    """

    oid: int
    schema: str
    name: str
    counted: bool

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema}.{self.name}"


def matching(conn: Connection[Any], patterns: Sequence[str]) -> tuple[list[Table], list[str]]:
    """The tables that the patterns name, with their partitions, and the patterns that name none."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("tables")).fetchall()
    found: dict[int, Table] = {}
    empty = []
    for pattern in patterns:
        named = [row for row in rows if fits(pattern, row["root_schema"], row["root_name"])]
        if not named:
            empty.append(pattern)
        for row in named:
            found[row["oid"]] = Table(row["oid"], row["schema"], row["name"], row["kind"] != "f")
    return sorted(found.values(), key=lambda table: table.label), empty
