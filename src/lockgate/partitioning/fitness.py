"""Whether a table can become a partitioned one, with all that hangs on it; looks only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.partitioning.family import TYPES
from lockgate.replacing import fitness
from lockgate.replacing.fitness import Fault
from lockgate.replacing.shape import rows
from lockgate.suggest import did_you_mean


def look(conn: Connection[Any], table: Relation, column: str, primary_key: Sequence[str]) -> Fault | None:
    """The first thing that is in the way; None if nothing is.

    :param primary_key: that the partitioned table gets.
    """
    return next(_faults(conn, table, column, primary_key), None)


def _faults(conn: Connection[Any], table: Relation, column: str, primary_key: Sequence[str]) -> Iterator[Fault]:
    yield from fitness.of_kind(conn, table)
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
    yield from _of_indexes(conn, table, column)
    yield from _of_foreign_keys(conn, table, primary_key)
    yield from fitness.of_constraints(conn, table)
    yield from fitness.of_foreign_keys(conn, table)
    yield from _of_triggers(conn, table)
    yield from fitness.of_others(conn, table)


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
    yield from fitness.of_identity(table, primary_key)
    loose = next((name for name in primary_key if not (found := table.column(name)) or not found.not_null), None)
    if loose is not None:
        yield Fault("primary_key", f'"{loose}" may be NULL', "", "Set it NOT NULL in an earlier phase.")


def _of_indexes(conn: Connection[Any], table: Relation, column: str) -> Iterator[Fault]:
    if rows(conn, "table", table.oid)[0]["identity"] == "i":
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


def _of_triggers(conn: Connection[Any], table: Relation) -> Iterator[Fault]:
    for trigger in rows(conn, "triggers", table.oid):
        if trigger["sees_rows"]:
            yield Fault(
                "table",
                f'trigger "{trigger["name"]}" is for each row and reads a transition table',
                "A partitioned table cannot have such a one.",
                "Make it one for each statement.",
            )
