"""What is at stake here when a copy is taken back: rows that were written since, and rows that are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Relation
from lockgate.errors import PlanError
from lockgate.ledger import copies
from lockgate.ledger.copies import CopyRow


@dataclass(frozen=True, slots=True)
class Stake:
    """A table of a copy.

    :param own: rows that the copy has written, and nobody since.
    :param since: rows that somebody else has written since it began.
    :param changed: the copy's rows that somebody has changed or deleted since both sides were compared.
    :param before: rows that were there before it.
    """

    table: Relation
    own: int
    since: int
    changed: int
    before: int

    @property
    def words(self) -> str:
        """What somebody has done to it since."""
        return (
            f"{self.table.label}: {self.since} rows were written here since, "
            f"{self.changed} copied ones were changed or deleted"
        )

    @property
    def touched(self) -> bool:
        """Whether anybody has written to it since."""
        return bool(self.since or self.changed)


def weigh(conn: Connection[Any], copy: CopyRow) -> list[Stake]:
    """Look at every table of a copy that is still there; nothing is changed."""
    found = []
    for row in copies.tables(conn, copy.id).values():
        try:
            table = catalog.read(conn, row.relid)
        except PlanError:
            continue  # dropped: nothing of it can be lost any more
        own, since = copy.own("t", table.oid), copy.since("t", table.oid)
        counts = conn.execute(
            f"SELECT count(*) FILTER (WHERE {own}), count(*) FILTER (WHERE {since}), count(*) "
            f"FROM {from_item(table)} AS t".encode()
        ).fetchone()
        assert counts is not None
        mine, others, rows = map(int, counts)
        found.append(Stake(table, mine, others, max(0, row.own_rows - mine), rows - mine - others))
    return found


def from_item(table: Relation) -> str:
    """What stands behind FROM for the rows of a table, without those of tables that inherit from it."""
    return table.sql if table.kind == "p" else f"ONLY {table.sql}"
