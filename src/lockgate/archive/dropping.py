"""The tables that are dropped for good: which ones, as they are now, and how nobody can change one unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row, scalar_row

from lockgate.archive.queries import load
from lockgate.archive.tables import Table, archived, ledger_is_there
from lockgate.catalog.content import Content, Way, content
from lockgate.errors import CheckFailed, PlanError
from lockgate.suggest import did_you_mean

_READ = ("id", "rows", "content", "measured_by", "purpose", "basis", "erased_rows", "archived_at", "retain_until")


@dataclass(frozen=True, slots=True)
class Archived:
    """A table that is in the archive.

    :param id: its number in the ledger, which names this stay in the archive.
    :param was: its name before.
    :param now: its name there.
    :param content: of its rows when it was put there or rows were erased last, with the way in which they were hashed.
    :param erased_rows: that were erased since it is there; ``rows`` is without them.
    """

    id: int
    was: Table
    now: Table
    rows: int
    content: str
    measured_by: str
    purpose: str | None
    basis: str | None
    erased_rows: int
    archived_at: datetime
    retain_until: datetime


@dataclass(frozen=True, slots=True)
class State:
    """What a table is like at a time.

    :param token: differs when a row may have been changed without being refused.
    :param guarded: whether writes are refused.
    :param subscribed: whether a subscription writes to it nevertheless.
    :param bytes: with its indexes.
    """

    token: str
    guarded: bool
    subscribed: bool
    bytes: int
    database_bytes: int


def find(conn: Connection[Any], plan: str, parts: Sequence[str], where: str) -> Archived:
    """The table that this plan archived under this name, the old one or the one that it has there.

    :raises PlanError: if there is none, or not as it was put there.
    """
    schema, name = parts
    rows = _rows(conn, plan, schema, name)
    if not rows:
        meant = did_you_mean(f"{schema}.{name}", archived(conn)) if ledger_is_there(conn) else ""
        raise PlanError(f"This plan has not archived {schema}.{name}{meant}", where=where)
    left = [row for row in rows if row["name_now"] is not None]
    if not left:
        raise PlanError(
            f"{schema}.{name} is not in the archive any more",
            where=where,
            why="Somebody dropped it.",
            hint="Take it out of this step.",
        )
    if len(left) > 1:
        names = " and ".join(f"{row['from_schema']}.{row['name']} in {row['to_schema']}" for row in left)
        raise PlanError(f"{schema}.{name} is the name of two archived tables", where=where, why=f"There is {names}.")
    return _archived(left[0], where)


def of_plan(conn: Connection[Any], plan: str, where: str) -> list[Archived]:
    """All tables that this plan has in the archive, in the order in which they came; without those somebody dropped.

    :raises PlanError: if one is not as it was put there.
    """
    return [_archived(row, where) for row in _rows(conn, plan) if row["name_now"] is not None]


def _rows(conn: Connection[Any], plan: str, schema: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
    if not ledger_is_there(conn):
        return []
    given = {"plan": plan, "schema": schema, "name": name}
    return conn.cursor(row_factory=dict_row).execute(load("tables.kept"), given).fetchall()


def _archived(row: dict[str, Any], where: str) -> Archived:
    schema, name = row["from_schema"], row["name"]
    now = Table(row["oid"], row["schema_now"], row["name_now"])
    if (now.schema, now.name) != (row["to_schema"], row["name"]):
        raise PlanError(
            f"{schema}.{name} is not what it was when it was archived",
            where=where,
            why=f"It is {now.label} now, and was put into {row['to_schema']} as {row['name']}.",
            hint="Give it that name back.",
        )
    return Archived(was=Table(row["oid"], schema, name), now=now, **{each: row[each] for each in _READ})


def state(conn: Connection[Any], table: Table) -> State:
    """What the table is like now; cheap.

    :raises CheckFailed: if it was dropped meanwhile.
    """
    found = conn.cursor(row_factory=class_row(State)).execute(load("tables.state"), {"oid": table.oid}).fetchone()
    if found is None:
        raise CheckFailed(f"{table.label} was dropped by somebody else just now")
    return found


def refuse_changed(conn: Connection[Any], table: Archived, found: State, where: str) -> Content:
    """Count and hash all its rows; it is compared with what was measured when it was archived.

    :raises CheckFailed: if it differs, or could be changed while this looks.
    """
    hint = (
        "Find out who changed it. `lockgate rollback` puts it back while nothing is dropped, then it can be "
        "archived anew; its retention begins anew, too."
    )
    if not found.guarded or found.subscribed:
        why = "Its trigger lockgate_archived, which refuses writes, is gone or switched off."
        if found.guarded:
            why = "A subscription writes to it, which no trigger refuses."
        raise CheckFailed(f"{table.was.label} may have changed since it was archived", where=where, why=why, hint=hint)
    way, _, hash_ = table.content.partition(":")
    now = content(conn, table.now.oid, cast(Way, way))
    if now.rows != table.rows or now.hash != hash_:
        rows = (
            f"{now.rows} rows instead of {table.rows}"
            if now.rows != table.rows
            else f"other content in {now.rows} rows"
        )
        raise CheckFailed(
            f"{table.was.label} changed since it was archived", where=where, why=f"It has {rows}.", hint=hint
        )
    return now


def definition(conn: Connection[Any], table: Table) -> str:
    """SQL that makes the table anew, without its rows."""
    text = conn.cursor(row_factory=scalar_row).execute(load("definition.lines"), {"oid": table.oid}).fetchone()
    assert isinstance(text, str)
    return text


def drop(conn: Connection[Any], table: Table) -> str:
    """Drop it, and nothing besides, in the open transaction; the ledger forgets that it is in the archive."""
    statement = sql.SQL("DROP TABLE {} RESTRICT").format(table.named())
    conn.execute(statement)
    conn.execute(load("tables.forget"), {"relid": table.oid})
    return statement.as_string(conn)
