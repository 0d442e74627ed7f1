"""The tables that are put aside: whether they may be, freezing them, measuring them, moving them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from lockgate.archive.place import VIEWS
from lockgate.archive.queries import load
from lockgate.catalog.content import content
from lockgate.errors import PlanError
from lockgate.suggest import did_you_mean

_TRIGGER = sql.Identifier("lockgate_archived")


@dataclass(frozen=True, slots=True)
class Table:
    """A table by its name and by its number, which stays when it moves."""

    oid: int
    schema: str
    name: str

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema}.{self.name}"

    def named(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a table holds.

    :param content: of all rows, as ``catalog.content`` hashes them for a backup too.
    :param query: what yielded rows and content.
    """

    rows: int
    bytes: int
    content: str
    query: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that was put into the archive.

    :param id: the number of its stay there.
    :param table: what it was.
    :param now: what it is now; None if somebody dropped it.
    :param erased_rows: that were erased since it is there, and do not come back.
    """

    id: int
    table: Table
    now: Table | None
    erased_rows: int


def find(conn: Connection[Any], parts: Sequence[str], where: str) -> Table:
    """The ordinary table of this name.

    :raises PlanError: if there is none, or one that cannot be moved alone.
    """
    schema, name = parts
    row = conn.execute(load("tables.find"), {"schema": schema, "name": name}).fetchone()
    if row is None:
        others = [str(r[0]) for r in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))]
        raise PlanError(f"There is no table {schema}.{name} to archive{did_you_mean(name, others)}", where=where)
    oid, kind, inherits = row
    if kind != "r" or inherits:
        why = "It is a partition, partitioned, or part of an inheritance." if kind in "rp" else "It is no table."
        raise PlanError(f"{schema}.{name} cannot be archived", where=where, why=why)
    return Table(int(oid), schema, name)


def refuse(conn: Connection[Any], table: Table, together: Sequence[Table], where: str) -> None:
    """:raises PlanError: if something still hangs on the table.

    :param together: the tables that are archived with it.
    """
    given = {"oid": table.oid, "together": [other.oid for other in together]}
    for query, what, hint in (
        (
            "mapped",
            "mappings still read or fill it",
            "It is still in use: take those mappings back first, or archive later.",
        ),
        (
            "referring",
            "foreign keys of other tables refer to it",
            "Drop them in an earlier step, or archive those tables in the same step.",
        ),
        (
            "acting",
            "its foreign keys have writes to other tables write to it",
            "Drop them in an earlier step, or archive those tables in the same step.",
        ),
    ):
        found = [str(row[0]) for row in conn.execute(load(f"tables.{query}"), given)]
        if found:
            raise _refused(table, what, found, where, hint)


def refuse_clashes(conn: Connection[Any], todo: Sequence[tuple[Table, str]], into: str) -> None:
    """Look whether all names are free in the archive, and differ from each other.

    :param todo: the tables with their places in the plan.
    :raises PlanError: with the first table that cannot be moved.
    """
    taken = dict.fromkeys(VIEWS, into)  # they may be still to be made
    taken |= {str(row[0]): into for row in conn.execute(load("tables.taken"), {"into": into})}
    for table, where in todo:
        moved = sorted(str(row[0]) for row in conn.execute(load("tables.moved"), {"oid": table.oid}))
        if clashes := [f"{name} of {taken[name]}" for name in moved if name in taken]:
            hint = "Rename one of them, or archive `into` another schema."
            raise _refused(table, "its names are taken in the archive", clashes, where, hint)
        taken.update(dict.fromkeys(moved, table.label))


def _refused(table: Table, what: str, found: Sequence[str], where: str, hint: str) -> PlanError:
    why = f"{', '.join(found[:5])}{' and more' if len(found) > 5 else ''}"
    return PlanError(f"{table.label} cannot be archived: {what}", where=where, why=why, hint=hint)


def freeze(conn: Connection[Any], table: Table, hint: str) -> None:
    """Refuse every write from now on, in the open transaction; waits for those that are under way."""
    conn.execute(
        sql.SQL(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_archived({})"
        ).format(_TRIGGER, table.named(), sql.Literal(hint))
    )
    conn.execute(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table.named(), _TRIGGER))


def measure(conn: Connection[Any], table: Table) -> Measured:
    """Count and hash a table; reads all of it."""
    held = content(conn, table.oid)
    row = conn.execute("SELECT pg_catalog.pg_total_relation_size(%s::oid)", (table.oid,)).fetchone()
    assert row is not None
    return Measured(held.rows, int(row[0]), f"{held.way}:{held.hash}", held.query)


def move(conn: Connection[Any], table: Table, into: str) -> None:
    """Move a table with its indexes, constraints and own sequences, in the open transaction."""
    conn.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(table.named(), sql.Identifier(into)))


def keep(
    conn: Connection[Any],
    table: Table,
    measured: Measured,
    *,
    step: tuple[str, str, str],
    into: str,
    said: Mapping[str, str | None],
    at: datetime,
    until: datetime,
) -> None:
    """Write into the ledger that a table is in the archive, in the transaction that moves it.

    :param step: plan, phase and step.
    :param said: what the plan says of it: ``why``, ``replacement``, ``purpose`` and ``basis``.
    """
    conn.execute(
        load("tables.keep"),
        {
            "plan": step[0],
            "phase": step[1],
            "step": step[2],
            "relid": table.oid,
            "from_schema": table.schema,
            "name": table.name,
            "to_schema": into,
            "row_count": measured.rows,
            "bytes": measured.bytes,
            "content": measured.content,
            "measured_by": measured.query,
            **said,
            "archived_at": at,
            "retain_until": until,
        },
    )


def kept_by(conn: Connection[Any], plan: str, phase: str, step: str) -> list[Kept]:
    """What a step has put into the archive and is there now."""
    rows = conn.execute(load("tables.of_step"), {"plan": plan, "phase": phase, "step": step}).fetchall()
    return [
        Kept(
            int(id_),
            Table(int(oid), schema, name),
            Table(int(oid), now, called) if called is not None else None,
            int(erased),
        )
        for id_, oid, schema, name, now, called, erased in rows
    ]


def take_out(conn: Connection[Any], kept: Kept) -> None:
    """Put a table back where it was, as it was, in the open transaction; one that was dropped is forgotten."""
    if kept.now is not None:
        thaw(conn, kept.now)
        back = Table(kept.now.oid, kept.table.schema, kept.now.name)
        if kept.now.schema != back.schema:
            move(conn, kept.now, back.schema)
        if back.name != kept.table.name:
            to = sql.Identifier(kept.table.name)
            conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(back.named(), to))
    conn.execute(load("tables.forget"), {"relid": kept.table.oid})


def thaw(conn: Connection[Any], table: Table) -> None:
    """Let it be written again, in the open transaction."""
    conn.execute(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(_TRIGGER, table.named()))


def frozen(conn: Connection[Any], table: Table) -> bool:
    """Whether it refuses writes: a run that was killed may have got no further."""
    row = conn.execute(load("tables.frozen"), {"oid": table.oid}).fetchone()
    return bool(row and row[0])


def ledger_is_there(conn: Connection[Any]) -> bool:
    """Whether anything can have been archived."""
    row = conn.execute(load("tables.there")).fetchone()
    return bool(row and row[0])


def archived(conn: Connection[Any]) -> list[str]:
    """The names that all archived tables had, of any plan."""
    return [str(row[0]) for row in conn.execute(load("tables.names"))]
