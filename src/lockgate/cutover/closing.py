"""Refusing the writes to a model that is not the one any more: by triggers, for grants do not bind an owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations
from lockgate.catalog.relations import Relation
from lockgate.cutover.queries import load
from lockgate.engine.session import PLAN
from lockgate.sql.tree import literal

SQLSTATE = "LG001"
"""The code of the error that a write to a closed table gets: its author should look again which model is the one."""
_PASS = "IF TG_LEVEL = 'STATEMENT' THEN RETURN NULL; END IF; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;"


@dataclass(frozen=True, slots=True)
class Fence:
    """A trigger function and the triggers that call it.

    :param name: of all of them.
    """

    name: str

    @property
    def function(self) -> str:
        """The qualified name of the function."""
        return f"lockgate.{self.name}"


def of_old(cutover: int) -> Fence:
    """What keeps the old model closed after a cutover."""
    return Fence(f"lockgate_closed_{cutover}")


def of_new(cutover: int) -> Fence:
    """What keeps stragglers from writing the new model after a cutover was taken back."""
    return Fence(f"lockgate_stale_{cutover}")


def close(conn: Connection[Any], fence: Fence, tables: Sequence[Relation], writers: Sequence[int], hint: str) -> None:
    """Refuse every write to the tables from now on, in the open transaction that holds them.

    Let through is what the plan's own SQL and the way back write, and a row that goes by a foreign key with the row
    that it refers to: that one was of a table which stays open, or went with such a row itself.

    :param writers: targets whose appliers may write.
    """
    cascades = [_gone_with_parent(conn, table) for table in tables]
    said = "% on %.% is refused: the application writes the new model now"
    _write_function(conn, fence, writers, "".join(cascades), said, hint)
    _write_triggers(conn, fence, tables)


def open_again(conn: Connection[Any], fence: Fence) -> None:
    """Let everything through again. Takes no lock on the tables, whose triggers stay until ``remove``."""
    conn.execute(
        f"CREATE OR REPLACE FUNCTION {fence.function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$lockgate$\nBEGIN\n    {_PASS}\nEND $lockgate$".encode()
    )


def refuse_all(
    conn: Connection[Any], fence: Fence, tables: Sequence[Relation], writers: Sequence[int], hint: str
) -> None:
    """Refuse every write of the application to the new model, in the open transaction that switches back."""
    _refuse_new(conn, fence, tables, writers, hint, "")
    _write_triggers(conn, fence, tables)


def refuse_stale(
    conn: Connection[Any], fence: Fence, tables: Sequence[Relation], writers: Sequence[int], hint: str
) -> None:
    """Refuse only writes of transactions that have begun before now; to be called when the switch back is committed.

    Whoever waited for the tables meanwhile has looked which model is the one before it changed.
    """
    row = conn.execute("SELECT pg_catalog.clock_timestamp()::text").fetchone()
    assert row is not None
    newer = f"    IF pg_catalog.now() >= {literal(str(row[0]))}::timestamptz THEN {_PASS} END IF;\n"
    _refuse_new(conn, fence, tables, writers, hint, newer)


def _refuse_new(
    conn: Connection[Any], fence: Fence, tables: Sequence[Relation], writers: Sequence[int], hint: str, newer: str
) -> None:
    cascades = "".join(_gone_with_parent(conn, table) for table in tables)
    said = "% on %.% is refused: the application writes the old model again"
    _write_function(conn, fence, writers, newer + cascades, said, hint)


def stragglers(conn: Connection[Any]) -> list[str]:
    """The transactions that are open elsewhere, by their virtual ids.

    Everybody may see these ids, as one may not see when a transaction has begun.
    """
    rows = conn.execute(
        "SELECT DISTINCT virtualtransaction FROM pg_catalog.pg_locks "
        "WHERE locktype = 'virtualxid' AND granted AND pid <> pg_catalog.pg_backend_pid()"
    )
    return [str(row[0]) for row in rows]


def any_left(conn: Connection[Any], transactions: Sequence[str]) -> bool:
    """Whether one of these transactions is still open."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND granted "
        "AND virtualtransaction = ANY (%s))",
        (list(transactions),),
    ).fetchone()
    return bool(row and row[0])


def guarded(conn: Connection[Any], fence: Fence) -> list[Relation]:
    """The tables that have the triggers, whatever they are called by now."""
    rows = conn.execute(load("closing.guarded"), {"function": fence.function}).fetchall()
    return [relations.read(conn, int(oid)) for (oid,) in rows]


def remove(conn: Connection[Any], fence: Fence, table: Relation) -> None:
    """Take the triggers off one table, by one strong lock."""
    for each in _tables(table):
        for name in (fence.name, _truncate(fence)):
            conn.execute(f"DROP TRIGGER IF EXISTS {name} ON {each}".encode())


def forget(conn: Connection[Any], fence: Fence) -> None:
    """Drop the function, which no trigger calls any more."""
    conn.execute(f"DROP FUNCTION IF EXISTS {fence.function}()".encode())


def _write_function(
    conn: Connection[Any], fence: Fence, writers: Sequence[int], let_through: str, said: str, hint: str
) -> None:
    own = ", ".join(literal(writer) for writer in (PLAN, *map(str, writers)))
    ours = f"pg_catalog.current_setting('lockgate.writer', true) IN ({own})"
    conn.execute(
        f"CREATE OR REPLACE FUNCTION {fence.function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = pg_catalog, pg_temp SET row_security = off AS $lockgate$\nBEGIN\n"
        f"    IF {ours} THEN {_PASS} END IF;\n{let_through}"
        f"    RAISE EXCEPTION {literal(said)}, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME\n"
        f"        USING ERRCODE = '{SQLSTATE}', HINT = {literal(hint)};\nEND $lockgate$".encode()
    )


def _gone_with_parent(conn: Connection[Any], table: Relation) -> str:
    leaves = ", ".join(str(oid) for oid in sorted({table.oid, *(leaf.oid for leaf in table.leaves)}))
    return "".join(
        f"    IF TG_LEVEL = 'ROW' AND TG_OP = 'DELETE' AND TG_RELID IN ({leaves}) THEN\n"
        # By itself, for OLD has these columns in this table only.
        f"        IF {filled} AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {pairs}) THEN RETURN OLD; END IF;\n"
        "    END IF;\n"
        for parent, pairs, filled in conn.execute(load("closing.cascades"), {"oid": table.oid})
    )


def _write_triggers(conn: Connection[Any], fence: Fence, tables: Sequence[Relation]) -> None:
    for table in tables:
        conn.execute(
            f"CREATE OR REPLACE TRIGGER {fence.name} BEFORE INSERT OR UPDATE OR DELETE ON {table.sql} "
            f"FOR EACH ROW EXECUTE FUNCTION {fence.function}()".encode()
        )
        for each in _tables(table):
            conn.execute(f"ALTER TABLE ONLY {each} ENABLE ALWAYS TRIGGER {fence.name}".encode())
            conn.execute(
                f"CREATE OR REPLACE TRIGGER {_truncate(fence)} BEFORE TRUNCATE ON {each} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {fence.function}()".encode()
            )
            conn.execute(f"ALTER TABLE ONLY {each} ENABLE ALWAYS TRIGGER {_truncate(fence)}".encode())


def _truncate(fence: Fence) -> str:
    return f"{fence.name}_truncate"


def _tables(table: Relation) -> list[str]:
    return [table.sql, *(leaf.sql for leaf in table.leaves if leaf.oid != table.oid)]
