"""An old partition leaves its table, and what it holds stays: never by DROP, and never unnoticed by a killed run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from lockgate.archive.tables import Table
from lockgate.partitioning.family import Family, Part
from lockgate.partitioning.queries import load
from lockgate.replacing.shape import rows


@dataclass(frozen=True, slots=True)
class Leaving:
    """A partition that is on its way into the archive.

    :param attached: whether it is a partition still; ``pending`` whether somebody began to detach it.
    """

    oid: int
    schema: str
    name: str
    attached: bool
    pending: bool

    @property
    def table(self) -> Table:
        """As the archive knows it."""
        return Table(self.oid, self.schema, self.name)


def note(conn: Connection[Any], plan: str, family: Family, part: Part) -> None:
    """Write down that a partition is leaving, in the open transaction."""
    values = {"relid": part.oid, "plan": plan, "parent": family.oid, "parent_name": family.label}
    conn.execute(load("retiring.note"), {**values, "bounds": f"{part.lower} to {part.upper}, UTC"})


def leaving(conn: Connection[Any], family: Family) -> list[Leaving]:
    """The partitions of a table that were leaving when a run ended; what somebody has dropped since is forgotten."""
    with conn.cursor(row_factory=class_row(Leaving)) as cursor:
        return cursor.execute(load("retiring.leaving"), {"parent": family.oid}).fetchall()


def state(conn: Connection[Any], family: Family, oid: int) -> Leaving | None:
    """How far one is; None if it was dropped."""
    with conn.cursor(row_factory=class_row(Leaving)) as cursor:
        return cursor.execute(load("retiring.state"), {"parent": family.oid, "oid": oid}).fetchone()


def gone(conn: Connection[Any], oid: int) -> None:
    """It is in the archive, in the open transaction that moves it there."""
    conn.execute(load("retiring.gone"), {"relid": oid})


def detach(conn: Connection[Any], family: Family, part: Table, *, concurrently: bool) -> None:
    """Detach a partition: concurrently, outside of a transaction, or under a lock on the table and its default."""
    how = sql.SQL(" CONCURRENTLY" if concurrently else "")
    conn.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}{}").format(family.named(), part.named(), how))


def finalize(conn: Connection[Any], family: Family, part: Table) -> None:
    """Finish what somebody began, outside of a transaction or in one."""
    conn.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(family.named(), part.named()))


def foreign_keys(conn: Connection[Any], table: Table) -> list[tuple[str, str, str]]:
    """The foreign keys of a table: name, definition, and the other table in SQL."""
    return [(key["name"], key["definition"], key["other"]) for key in rows(conn, "foreign_keys", table.oid)]


def drop_key(conn: Connection[Any], table: Table, name: str) -> None:
    """Drop a foreign key: kept, it would refuse to remove what the old rows refer to, or remove them too."""
    conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(table.named(), sql.Identifier(name)))
