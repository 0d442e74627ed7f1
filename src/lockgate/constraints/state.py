"""Which tables, columns and constraints there are."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from lockgate.constraints.notes import Added
from lockgate.constraints.queries import load
from lockgate.constraints.wanted import Kind, Wanted
from lockgate.engine.evidence import Evidence
from lockgate.errors import PlanError
from lockgate.indexing.state import Table, look_for

_TABLES = {"r", "p", "f"}


class Placed(NamedTuple):
    """A constraint, and the table that it is for."""

    wanted: Wanted
    table: Table

    @property
    def key(self) -> Added:
        """What is noted of it."""
        return Added(self.wanted.kind, self.table.sql, self.wanted.name)

    def on(self, partition: Table, name: str) -> Placed:
        """The same constraint on a partition.

        :param name: of the constraint there.
        """
        return Placed(self.wanted.on(partition.schema, partition.name, name), partition)


def placed(conn: Connection[Any], wanted: Wanted) -> Placed:
    """:raises PlanError: if its table is not there."""
    found = look_for(conn, wanted.table)
    if found is None or found.kind not in _TABLES:
        raise PlanError(
            f"There is no table {wanted.table}", where=wanted.where, hint="Write its schema, too: schema.table."
        )
    return Placed(wanted, found)


def leaves(conn: Connection[Any], parent: Table) -> list[Table]:
    """The partitions of a table that hold rows, at any depth."""
    return conn.cursor(row_factory=class_row(Table)).execute(load("state.leaves"), {"table": parent.oid}).fetchall()


def evidence(conn: Connection[Any], kind: Kind, table: str, name: str) -> Evidence | None:
    """What the catalog says of a constraint, or of the column of a NOT NULL; None if it is not there."""
    query = load("state.column" if kind is Kind.NOT_NULL else "state.constraint")
    row = conn.cursor(row_factory=dict_row).execute(query, {"table": table, "name": name}).fetchone()
    return Evidence(f"{kind}:{table}.{name}", query.decode(), {"table": table, **row}) if row else None


def not_null(conn: Connection[Any], column: Placed) -> bool:
    """Whether a column has no NULL by its definition.

    :raises PlanError: if it is not there.
    """
    table, name = column.table.sql, column.wanted.name
    found = evidence(conn, Kind.NOT_NULL, table, name)
    if found is None:
        raise PlanError(
            f"There is no column {name} in {table}", where=column.wanted.where, hint="See `\\d` of the table."
        )
    return bool(found.result["not_null"])


def missing(conn: Connection[Any], wanted: Wanted) -> Evidence | None:
    """That the table that a foreign key refers to is not there; None if it is."""
    query = load("state.referenced")
    row = conn.cursor(row_factory=dict_row).execute(query, {"table": wanted.parent}).fetchone()
    assert row is not None, "it is one value"
    if row["referenced"] is not None:
        return None
    return Evidence(f"skipped:{wanted.name}", query.decode(), {"refers to": wanted.parent, **row})
