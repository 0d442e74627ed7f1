"""Copies of another database's tables: what of the rows here is the copy's own, and when both sides agreed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from lockgate.ledger.queries import load

_HALF = 2**31 - 2**24
"""Beyond so many transactions, which of two rows is the older one cannot be told from them."""


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A copy that has begun.

    :param begun: rows that older transactions wrote were there before it.
    :param removing: whether a rollback has begun to remove rows.
    :param age: transactions since it began.
    """

    id: int
    plan: str
    name: str
    begun: int
    removing: bool
    age: int

    def own(self, alias: str, relid: int) -> str:
        """The condition that the copy has written a row, and nobody has changed it since."""
        return (
            f"{alias}.xmin IN (SELECT w.xid::xid FROM lockgate.copy_writes w WHERE w.copy_id = {self.id} "
            f"AND w.relid = {relid} AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric "
            "- w.xid::text::numeric < 4294967296)"
        )

    def since(self, alias: str, relid: int) -> str:
        """The condition that somebody else has written a row since the copy began; of a row too old to tell, too."""
        begun = f"'{self.begun % 2**32}'::xid"
        newer = "true" if self.age > _HALF else f"pg_catalog.age({alias}.xmin) <= pg_catalog.age({begun})"
        return f"(NOT {self.own(alias, relid)} AND {newer})"

    def wrote(self, conn: Connection[Any], relid: int) -> None:
        """Note the open transaction as one that writes a table for the copy."""
        conn.execute(load("copies.wrote"), {"copy": self.id, "relid": relid})


class Everything:
    """Whose rows are all one's own: those of the other database, when a rollback makes it what this one is."""

    def own(self, alias: str, relid: int) -> str:
        """Of any row."""
        return "true"

    def wrote(self, conn: Connection[Any], relid: int) -> None:
        """There is nothing to note."""


Owner = CopyRow | Everything
"""Who may change a row: nobody else's is ever touched."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A table of a copy.

    :param own_rows: rows that were the copy's own when both sides were last compared.
    :param source: count and hash of the source when both agreed; None if they never did.
    :param left_as: the same of what a rollback was about to leave there.
    """

    relid: int
    label: str
    own_rows: int
    source: str | None
    left_as: str | None


def begin(conn: Connection[Any], plan: str, name: str) -> CopyRow:
    """The copy of this name, made where there is none."""
    conn.execute(load("copies.begin"), {"plan": plan, "name": name})
    found = find(conn, plan, name)
    assert found is not None
    return found


def find(conn: Connection[Any], plan: str, name: str) -> CopyRow | None:
    """The copy of this name; None where it never began, or was taken back."""
    if not conn.cursor(row_factory=scalar_row).execute(load("copies.there")).fetchone():
        return None
    cursor = conn.cursor(row_factory=class_row(CopyRow))
    return cursor.execute(load("copies.find"), {"plan": plan, "name": name}).fetchone()


def add_table(conn: Connection[Any], copy: int, relid: int, label: str) -> None:
    """Note that a table belongs to a copy."""
    conn.execute(load("copies.table"), {"copy": copy, "relid": relid, "label": label})


def tables(conn: Connection[Any], copy: int) -> dict[int, TableRow]:
    """The tables of a copy, by oid."""
    cursor = conn.cursor(row_factory=class_row(TableRow)).execute(load("copies.tables"), {"copy": copy})
    return {row.relid: row for row in cursor}


def own(conn: Connection[Any], copy: int, relid: int, rows: int) -> None:
    """Note how many rows are the copy's own."""
    conn.execute(load("copies.own"), {"copy": copy, "relid": relid, "rows": rows})


def agreed(conn: Connection[Any], copy: int, relid: int, content: str) -> None:
    """Note what the source held when both sides were found equal."""
    conn.execute(load("copies.agreed"), {"copy": copy, "relid": relid, "content": content})


def leaving(conn: Connection[Any], copy: int, relid: int, content: str) -> None:
    """Note what a rollback is about to leave in the source."""
    conn.execute(load("copies.leaving"), {"copy": copy, "relid": relid, "content": content})


def removing(conn: Connection[Any], copy: int) -> None:
    """Note that a rollback begins to remove rows."""
    conn.execute(load("copies.removing"), {"copy": copy})


def forget(conn: Connection[Any], copy: int) -> None:
    """Forget the copy with all that belongs to it."""
    conn.execute(load("copies.forget"), {"copy": copy})
