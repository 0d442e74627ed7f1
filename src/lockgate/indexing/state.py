"""Which indexes there are, and which partitions lack one."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import PlanError
from lockgate.indexing.queries import load
from lockgate.sql.ddl import dotted, free


class Table(NamedTuple):
    """A table that gets an index, or a constraint.

    :param kind: ``pg_class.relkind``.
    """

    oid: int
    schema: str
    name: str
    kind: str

    @property
    def sql(self) -> str:
        """Its quoted name."""
        return dotted((self.schema, self.name))

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.kind == "p"


class Known(NamedTuple):
    """An index.

    :param attached: whether it is a part of the index of a partitioned table.
    :param constraint: the constraint that rests on it; empty if there is none.
    :param named_by_table: whether it is the table's replica identity, or the order that it is clustered in.
    """

    oid: int
    schema: str
    name: str
    table: int
    valid: bool
    partitioned: bool
    attached: bool
    definition: str
    comment: str
    constraint: str
    named_by_table: bool


def look_for(conn: Connection[Any], name: str) -> Table | None:
    """A table by its name; None if it is not there yet."""
    return conn.cursor(row_factory=class_row(Table)).execute(load("state.table"), {"name": name}).fetchone()


def table(conn: Connection[Any], name: str, where: str) -> Table:
    """:raises PlanError: if there is none that can have an index."""
    row = look_for(conn, name)
    if row is None:
        raise PlanError(f"There is no table {name}", where=where, hint="Write its schema, too: schema.table.")
    if row.kind not in {"r", "p", "m"}:
        raise PlanError(f"{name} cannot have an index", where=where, why="It is no table and no materialized view.")
    return row


def lacking(conn: Connection[Any], parent: int, index: int) -> list[Table]:
    """The partitions right below a table that have no valid part of one of its indexes."""
    cursor = conn.cursor(row_factory=class_row(Table))
    return cursor.execute(load("state.lacking"), {"parent": parent, "index": index}).fetchall()


def foreign(conn: Connection[Any], table: int) -> Table | None:
    """A partition, at any depth, that is a foreign table; None if there is none."""
    return conn.cursor(row_factory=class_row(Table)).execute(load("state.foreign"), {"table": table}).fetchone()


def find(conn: Connection[Any], schema: str, name: str) -> Known | None:
    """An index by its name."""
    cursor = conn.cursor(row_factory=class_row(Known))
    return cursor.execute(load("state.find"), {"schema": schema, "name": name}).fetchone()


def free_name(conn: Connection[Any], schema: str, wanted: str) -> str:
    """A name that no relation of a schema has: the wanted one, cut to 63 bytes, or with a number at its end."""

    def taken(name: str) -> bool:
        query = (
            "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s"
        )
        return conn.execute(query, (schema, name)).fetchone() is not None

    return free(wanted, taken)
