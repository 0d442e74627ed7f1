"""Whether a table can become a partitioned one, with all that hangs on it; looks only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.dependents import dependents
from lockgate.catalog.relations import Relation
from lockgate.errors import PlanError
from lockgate.partitioning.family import TYPES
from lockgate.partitioning.shape import rows
from lockgate.suggest import did_you_mean

# What moves along by itself, or is moved by its name.
_MOVED = frozenset({"constraint", "view", "trigger", "default"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a table cannot be partitioned.

    :param key: of the step, that should be written otherwise; empty for the table itself.
    """

    key: str
    what: str
    why: str
    hint: str


def look(conn: Connection[Any], table: Relation, column: str, primary_key: Sequence[str]) -> Fault | None:
    """The first thing that is in the way; None if nothing is.

    :param primary_key: that the partitioned table gets.
    """
    return next(_faults(conn, table, column, primary_key), None)


def refuse(fault: Fault | None, table: Relation, where: str) -> None:
    """:raises PlanError: if there is a fault."""
    if fault is not None:
        what = f"{table.label} cannot be partitioned: {fault.what}"
        raise PlanError(what, where=where, why=fault.why or None, hint=fault.hint or None)


def _faults(conn: Connection[Any], table: Relation, column: str, primary_key: Sequence[str]) -> Iterator[Fault]:
    known = rows(conn, "table", table.oid)[0]
    if known["kind"] != "r" or known["inherits"] or known["of_type"]:
        yield Fault("table", "it is not a plain table", "It is partitioned, a partition, or typed or inherited.", "")
    found = table.column(column)
    if found is None:
        known_columns = [each.name for each in table.columns]
        yield Fault("by", f'it has no column "{column}"{did_you_mean(column, known_columns)}', "", "")
        return
    if found.plain_type not in TYPES or found.generated:
        yield Fault("by", f'"{column}" is no date or timestamp that is stored', f"Its type is {found.type}.", "")
    if not found.not_null:
        yield Fault(
            "by",
            f'"{column}" may be NULL',
            "It becomes a part of the primary key.",
            "Fill it and set it NOT NULL in an earlier phase.",
        )
    yield from _of_key(table, column, primary_key)
    yield from _of_indexes(conn, table, column, known)
    yield from _of_foreign_keys(conn, table, primary_key)
    yield from _of_others(conn, table)


def _of_key(table: Relation, column: str, primary_key: Sequence[str]) -> Iterator[Fault]:
    if not table.primary_key:
        yield Fault("table", "it has no primary key", "Its rows could not be told apart.", "Give it one first.")
    unknown = next((name for name in primary_key if table.column(name) is None), None)
    if unknown is not None:
        near = did_you_mean(unknown, [each.name for each in table.columns])
        yield Fault("primary_key", f'it has no column "{unknown}"{near}', "", "")
    missing = [name for name in table.primary_key if name not in primary_key]
    if missing:
        yield Fault(
            "primary_key", f"the key lacks {', '.join(missing)}", "It must hold the columns of the key of before.", ""
        )
    if column not in primary_key:
        yield Fault(
            "primary_key",
            f"its primary key ({', '.join(primary_key)}) does not hold {column}",
            "PostgreSQL keeps a key unique within each partition only.",
            f"primary_key: [{', '.join((*primary_key, column))}]",
        )
    for column_ in table.columns:
        if column_.identity == "a" and column_.name not in primary_key:
            what = f'"{column_.name}" is GENERATED ALWAYS AS IDENTITY and not in the key'
            yield Fault("table", what, "Its values could not be kept.", "Make it BY DEFAULT in an earlier phase.")
    loose = next((name for name in primary_key if not (found := table.column(name)) or not found.not_null), None)
    if loose is not None:
        yield Fault("primary_key", f'"{loose}" may be NULL', "", "Set it NOT NULL in an earlier phase.")


def _of_indexes(conn: Connection[Any], table: Relation, column: str, known: dict[str, Any]) -> Iterator[Fault]:
    if known["identity"] == "i":
        yield Fault("table", "its replica identity is an index", "A partitioned table has none.", "Make it FULL.")
    for index in rows(conn, "indexes", table.oid):
        if index["is_primary"]:
            continue
        if index["kind"] == "x":
            yield Fault(
                "table", f'"{index["name"]}" is an exclusion constraint', "It would hold within a partition only.", ""
            )
        if index["is_unique"] and column not in index["columns"]:
            yield Fault(
                "table",
                f'unique "{index["name"]}" does not hold {column}',
                "PostgreSQL keeps values unique within each partition only.",
                f"Make it an index that is not unique, or one with {column}, in an earlier phase.",
            )


def _of_foreign_keys(conn: Connection[Any], table: Relation, primary_key: Sequence[str]) -> Iterator[Fault]:
    for key in rows(conn, "foreign_keys", table.oid):
        if key["to_itself"]:
            yield Fault("table", f'foreign key "{key["name"]}" refers to itself', "", "Drop it in an earlier phase.")
        if not key["is_valid"]:
            yield Fault("table", f'foreign key "{key["name"]}" is not validated', "", "Validate it before.")
        if not key["allowed"]:
            what = f'this role may not make its foreign key "{key["name"]}" anew'
            yield Fault("table", what, f"It may not refer to {key['other']}.", f"GRANT REFERENCES ON {key['other']}.")
    unique = [set(primary_key)]
    unique += [set(index["columns"]) for index in rows(conn, "indexes", table.oid) if index["kind"] == "u"]
    for key in rows(conn, "referring", table.oid):
        if set(key["columns"]) not in unique:
            yield Fault(
                "table",
                f'foreign key "{key["name"]}" of {key["other"]} refers to ({", ".join(key["columns"])})',
                "Which is unique in the table of before alone.",
                f"Let it refer to ({', '.join(primary_key)}), or drop it, in an earlier phase.",
            )
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
            yield Fault("table", what, "The key is led to the partitioned table.", "`lockgate grants` helps.")


def _of_others(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    for trigger in rows(conn, "triggers", table.oid):
        if trigger["sees_rows"]:
            yield Fault(
                "table",
                f'trigger "{trigger["name"]}" is for each row and reads a transition table',
                "A partitioned table cannot have such a one.",
                "Make it one for each statement.",
            )
    views = rows(conn, "views", table.oid)
    solid = next((view["name"] for view in views if view["kind"] == "m"), None)
    if solid is not None:
        yield Fault(
            "table", f"materialized view {solid} reads it", "It cannot be led to another table.", "Drop it before."
        )
    foreign = next((view["name"] for view in views if not view["allowed"]), None)
    if foreign is not None:
        what = f"this role does not own view {foreign}, which reads it"
        yield Fault("table", what, "The view is led to the partitioned table.", "Be a member of its owner.")
    row = conn.execute(
        "SELECT identity FROM pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, %s, 0)", (table.oid,)
    ).fetchone()
    assert row is not None
    for one in dependents(conn, [table.oid], texts=False).found:
        called = one.kind == "function" and not one.oid
        own_policy = one.kind == "policy" and one.how == f"is on {row[0]}"
        if one.kind in _MOVED or one.is_part or called or own_policy or not one.how.endswith(f" {row[0]}"):
            continue
        yield Fault(
            "table",
            f"{one.kind} {one.name} {one.how}",
            "It would stay with the table of before.",
            "Drop it in an earlier phase, and make it anew in a later one.",
        )
