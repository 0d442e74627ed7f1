"""The fresh table of a rewrite: made empty, like the bloated one, with what its constraints cannot do without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from lockgate.catalog.relations import Relation
from lockgate.replacing import shape
from lockgate.replacing.shape import Copied


def filling_key(old: int) -> str:
    """The name of the index by which the fresh table's rows are told apart until it has that of its key."""
    return f"lockgate_fill_{old}"


def make(
    conn: Connection[Any], table: Relation, staged: str, key: Sequence[str]
) -> tuple[int, tuple[Copied, ...], tuple[Copied, ...]]:
    """Make it, in the open transaction; its number, its indexes and its extended statistics.

    Of the indexes only those are made of which the server builds none beside writers: of exclusion constraints. The
    others are built when the rows are there: that is quicker, and they come out as small as can be.

    :param key: of which it gets an index for being filled.
    """
    source, target = sql.Identifier(table.schema, table.name), sql.Identifier(table.schema, staged)
    known = shape.rows(conn, "table", table.oid)[0]
    conn.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY EXCLUDING STATISTICS) "
            "USING {} TABLESPACE {}"
        ).format(target, source, sql.Identifier(known["method"]), sql.Identifier(known["space"]))
    )
    new = shape.number_of(conn, target)
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    name = sql.Identifier(filling_key(table.oid))
    conn.execute(sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(name, target, columns))
    indexes = []
    for each in shape.rows(conn, "indexes", table.oid):
        if each["is_valid"] and each["excludes"]:
            conn.execute("SELECT pg_catalog.set_config('default_tablespace', %s, true)", (each["space"],))
            indexes.append(shape.index(conn, each, table.schema, target, key))
    shape.store(conn, target, known)
    shape.tune(conn, table.oid, target)
    statistics = shape.extend(conn, table.oid, target)
    shape.dress(conn, table.oid, new, target)
    return new, tuple(indexes), statistics


def built(schema: str, staged: str, index: dict[str, Any]) -> str:
    """The statement that builds an index of the fresh table, but for its tablespace.

    :param index: the one of the other table, as ``indexes`` tells it.
    """
    unique = sql.SQL("UNIQUE " if index["is_unique"] else "")
    name, target = sql.Identifier(shape.staged(index["oid"])), sql.Identifier(schema, staged)
    return sql.SQL("CREATE {}INDEX {} ON {}{}").format(unique, name, target, sql.SQL(index["rest"])).as_string(None)


def attach(
    conn: Connection[Any], schema: str, target: sql.Identifier, indexes: Sequence[dict[str, Any]]
) -> list[Copied]:
    """Let indexes that were built be what those of the other table are, in the open transaction.

    :param indexes: of the other table, as ``indexes`` tells them.
    """
    made = []
    for each in indexes:
        name, placed = sql.Identifier(shape.staged(each["oid"])), sql.Identifier(schema, shape.staged(each["oid"]))
        if each["constraint"] is not None:
            kind = "PRIMARY KEY" if each["is_primary"] else "UNIQUE"
            later = (" DEFERRABLE" if each["deferrable"] else "") + (" INITIALLY DEFERRED" if each["deferred"] else "")
            conn.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}").format(
                    target, name, sql.SQL(kind), name, sql.SQL(later)
                )
            )
            shape.comment(conn, sql.SQL("CONSTRAINT {} ON {}").format(name, target), each["constraint_comment"])
        for change in each["tuning"]:
            conn.execute(sql.SQL("ALTER INDEX {} {}").format(placed, sql.SQL(change)))
        shape.comment(conn, sql.SQL("INDEX {}").format(placed), each["comment"])
        if each["clustered"]:
            conn.execute(sql.SQL("ALTER TABLE {} CLUSTER ON {}").format(target, name))
        if each["replicates"]:
            conn.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}").format(target, name))
        made.append(Copied(each["oid"], shape.number_of(conn, placed), each["name"]))
    return made
