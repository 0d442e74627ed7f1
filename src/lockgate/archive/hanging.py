"""What hangs on tables that are dropped: it goes before them, one by one, if it was named, and nothing else does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import dict_row

from lockgate.archive.queries import load
from lockgate.catalog.dependents import Dependent, dependents
from lockgate.errors import PlanError


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is dropped before a table.

    :param statement: that drops it and nothing besides.
    :param definition: that makes it anew; None where the server does not tell.
    :param relation: what it locks, as far as it is known; None for what is no relation and on none.
    """

    of: Dependent
    statement: str
    definition: str | None
    relation: str | None


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on some tables.

    :param named: what is dropped before them.
    :param others: what stands in the way, for people.
    :param seen: every name that was looked at, as `with` has it.
    """

    named: tuple[Thing, ...]
    others: tuple[str, ...]
    seen: frozenset[str]


def look(
    conn: Connection[Any],
    tables: Sequence[int],
    *,
    together: Sequence[int],
    named: Collection[str],
    allowed: Collection[str],
) -> Hanging:
    """Find all that depends on these tables.

    :param together: the tables that the step drops; foreign keys between them need no name.
    :param named: what may be dropped: ``view core.old_report``.
    :param allowed: names of what may go on naming the tables in its text, and of what depends on that.
    """
    known_to_server = {(one.kind, one.name) for one in dependents(conn, tables, texts=False).found}
    things: list[Thing] = []
    others: list[str] = []
    seen: set[str] = set()
    for one in dependents(conn, tables).found:
        title = f"{one.kind} {one.name}"
        if title in seen or (one.kind == "function" and not one.oid):  # a trigger calls it: it stays as it is
            continue
        seen.add(title)
        if one.is_part:
            continue
        if title in named or _within(conn, one, together):
            row = _row(conn, "objects.known", {"catalog": one.catalog, "oid": one.oid})
            if row is not None:
                things.append(Thing(one, row["statement"], row["definition"], row["relation"]))
            elif one.oid:
                others.append(f"{title} ({one.how}; a {one.kind} is not dropped here: remove it in an earlier phase)")
        elif (one.kind, one.name) in known_to_server or one.name not in allowed:
            others.append(f"{title} ({one.how}{', by its text' if one.by_text else ''})")
    return Hanging(tuple(things), tuple(others), frozenset(seen))


def refuse(found: Sequence[tuple[str, Hanging]], where: str) -> None:
    """Look at what hangs on each table, which is called so.

    :raises PlanError: if something does that was not named; lists all of it.
    """
    others = list(dict.fromkeys(other for _, hanging in found for other in hanging.others))
    if others:
        labels = ", ".join(label for label, hanging in found if hanging.others)
        raise PlanError(
            f"{labels} cannot be dropped: {len(others)} thing{'' if len(others) == 1 else 's'} "
            "that `with` does not name in the way",
            where=where,
            why="; ".join(others),
            hint="Name in `with` what is to be dropped before, as it stands here: "
            "`with: [view core.old_report]`; or change what is still needed.",
        )


def drop(conn: Connection[Any], things: Sequence[Thing], where: str) -> list[Thing]:
    """Drop them in the open transaction; they are returned in the order in which they went.

    The server knows the order: what it refuses to drop now is tried again when others are gone.

    :raises PlanError: if something that was not named hangs on one of them.
    """
    gone: list[Thing] = []
    left = list(things)
    while left:
        waiting: list[Thing] = []
        for thing in left:
            if _row(conn, "objects.known", {"catalog": thing.of.catalog, "oid": thing.of.oid}) is None:
                gone.append(thing)  # it was a part of something that went
                continue
            try:
                with conn.transaction():
                    conn.execute(thing.statement.encode())
            except errors.DependentObjectsStillExist as error:
                waiting.append(thing)
                why = error.diag.message_detail
            else:
                gone.append(thing)
        if len(waiting) == len(left):
            names = ", ".join(thing.of.name for thing in waiting)
            raise PlanError(f"{names} cannot be dropped: something else depends on it", where=where, why=why)
        left = waiting
    return gone


def _within(conn: Connection[Any], one: Dependent, tables: Sequence[int]) -> bool:
    """Whether it is a foreign key of one of the tables."""
    row = _row(conn, "objects.within", {"catalog": one.catalog, "oid": one.oid, "tables": list(tables)})
    return row is not None


def _row(conn: Connection[Any], query: str, given: dict[str, Any]) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(query), given).fetchone()
