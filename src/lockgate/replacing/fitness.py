"""Whether another table can take the place of a table, with all that hangs on it; looks only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.dependents import dependents
from lockgate.catalog.relations import Relation
from lockgate.errors import PlanError
from lockgate.replacing.shape import rows

# What moves along by itself, or is moved by its name.
_MOVED = frozenset({"constraint", "view", "trigger", "default"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Why no other table can take the place of a table.

    :param key: of the step, that should be written otherwise.
    """

    key: str
    what: str
    why: str
    hint: str


def refuse(fault: Fault | None, table: Relation, done: str, where: str) -> None:
    """:raises PlanError: if there is a fault.

    :param done: what cannot be done to the table: ``partitioned``.
    """
    if fault is not None:
        what = f"{table.label} cannot be {done}: {fault.what}"
        raise PlanError(what, where=where, why=fault.why or None, hint=fault.hint or None)


def of_kind(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    """Whether it is a table whose rows are all its own."""
    known = rows(conn, "table", table.oid)[0]
    if known["kind"] != "r" or known["inherits"] or known["of_type"]:
        yield Fault("table", "it is not a plain table", "It is partitioned, a partition, or typed or inherited.", "")
    if known["persistence"] != "p":
        yield Fault("table", "it is not logged", "A crash empties it, which no log tells.", "Make it LOGGED before.")


def of_constraints(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    """Whether its constraints and extended statistics can be made anew."""
    for each in rows(conn, "unproven", table.oid):
        what = f'constraint "{each["name"]}" does not hold for all rows'
        yield Fault("table", what, "Made anew it would refuse those that break it.", "Validate or drop it before.")
    for each in rows(conn, "statistics", table.oid):
        if not each["allowed"]:
            what = f"this role does not own the statistics {each['schema']}.{each['name']}"
            yield Fault("table", what, "They are made anew on the new table.", "Be a member of their owner.")


def of_identity(table: Relation, key: Sequence[str]) -> Iterator[Fault]:
    """Whether its values can be written as they are.

    :param key: by which its rows are told apart.
    """
    for column in table.columns:
        if column.identity == "a" and column.name not in key:
            what = f'"{column.name}" is GENERATED ALWAYS AS IDENTITY and not in the key'
            yield Fault("table", what, "Its values could not be kept.", "Make it BY DEFAULT in an earlier phase.")


def of_foreign_keys(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    """Whether foreign keys, its own and those of others, can be made anew."""
    for key in rows(conn, "foreign_keys", table.oid):
        if not key["is_valid"]:
            yield Fault("table", f'foreign key "{key["name"]}" is not validated', "", "Validate it before.")
        if not key["allowed"]:
            what = f'this role may not make its foreign key "{key["name"]}" anew'
            yield Fault("table", what, f"It may not refer to {key['other']}.", f"GRANT REFERENCES ON {key['other']}.")
    for key in rows(conn, "referring", table.oid):
        if key["kind"] == "p":
            yield Fault(
                "table",
                f'foreign key "{key["name"]}" of {key["other"]}, which is partitioned, refers to it',
                "Before PostgreSQL 18 it cannot be made without reading all of that under a lock.",
                "Drop it in an earlier phase.",
            )
        if not key["is_valid"]:
            yield Fault("table", f'foreign key "{key["name"]}" of {key["other"]} is not validated', "", "")
        if not key["allowed"]:
            what = f"this role does not own {key['other']}, whose foreign key refers to it"
            yield Fault("table", what, "The key is led to the new table.", "`lockgate grants` helps.")


def of_publications(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    """Whether the publications that name it can name the new table instead."""
    for each in rows(conn, "publications", table.oid):
        if not each["allowed"]:
            what = f"this role does not own publication {each['name']}, which names it"
            yield Fault("table", what, "It is led to the new table.", "Be a member of its owner.")


def of_others(conn: Connection[Any], table: Relation, *, published: bool = False) -> Iterator[Fault]:
    """Whether all else that hangs on it can be led to the new table.

    :param published: whether publications that name it are led there.
    """
    views = rows(conn, "views", table.oid)
    solid = next((view["name"] for view in views if view["kind"] == "m"), None)
    if solid is not None:
        yield Fault(
            "table", f"materialized view {solid} reads it", "It cannot be led to another table.", "Drop it before."
        )
    typed = next((view["name"] for view in views if view["has_its_type"]), None)
    if typed is not None:
        what = f"view {typed} has a column of its type"
        yield Fault("table", what, "A view's column cannot change its type.", "Drop the view before.")
    foreign = next((view["name"] for view in views if not view["allowed"]), None)
    if foreign is not None:
        what = f"this role does not own view {foreign}, which reads it"
        yield Fault("table", what, "The view is led to the new table.", "Be a member of its owner.")
    row = conn.execute(
        "SELECT identity FROM pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, %s, 0)", (table.oid,)
    ).fetchone()
    assert row is not None
    for one in dependents(conn, [table.oid], texts=False).found:
        called = one.kind == "function" and not one.oid
        own_policy = one.kind == "policy" and one.how == f"is on {row[0]}"
        led = one.kind in _MOVED or (published and one.kind == "publication")
        if led or one.is_part or called or own_policy or not one.how.endswith(f" {row[0]}"):
            continue
        yield Fault(
            "table",
            f"{one.kind} {one.name} {one.how}",
            "It would stay with the table of before.",
            "Drop it in an earlier phase, and make it anew in a later one.",
        )
