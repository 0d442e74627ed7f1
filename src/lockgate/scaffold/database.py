"""What of a database a new plan has to know: its tables, their keys, and the columns of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate import sqlfiles


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the old model.

    :param sql: the qualified name, quoted where SQL needs it; ``quoted_name`` is that without the schema.
    :param rows: the planner's estimate; 0 where it was never analysed.
    :param primary_key: names of its columns, empty where there is none.
    :param refers_to: ``schema.table`` of the tables that its foreign keys point to.
    """

    oid: int
    schema: str
    name: str
    sql: str
    quoted_name: str
    rows: int
    bytes: int
    partitioned: bool
    primary_key: Sequence[str]
    refers_to: Sequence[str]

    @property
    def label(self) -> str:
        """``schema.table`` as people say it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is not generated; ``type`` and ``quoted`` are SQL."""

    name: str
    quoted: str
    type: str
    not_null: bool


def tables(conn: Connection[Any]) -> list[Table]:
    """The tables of the database, the largest first; no system's, extension's or temporary ones."""
    with conn.cursor(row_factory=class_row(Table)) as cursor:
        return cursor.execute(_query("tables")).fetchall()


def columns(conn: Connection[Any], table: Table) -> list[Column]:
    """The columns of a table, in their order."""
    with conn.cursor(row_factory=class_row(Column)) as cursor:
        return cursor.execute(_query("columns"), {"oid": table.oid}).fetchall()


def _query(name: str) -> bytes:
    return sqlfiles.load("lockgate.scaffold", name)
