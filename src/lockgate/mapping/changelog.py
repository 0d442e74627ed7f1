"""The change log of one relation: two tables, three functions, and the triggers that fill them.

An application role needs no right on schema ``lockgate``: the functions run as their owner, and every name
and operator in them is qualified, so that nothing depends on the caller's ``search_path``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.catalog.relations import Column, Relation
from lockgate.errors import MappingRefused

SEGMENTS = ("a", "b")
PIECES = ("insert", "update", "delete", "truncate")
# A table has 1600 columns at most: four of a log's own, and the old and the new value of each that is followed.
MOST_COLUMNS = 798
# How many changes pass between two looks at the size of a log.
_CAP_INTERVAL = 4096


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """A change log as the ledger knows it.

    :param writer: empty, or the mark of the writer whose own writes are left out.
    :param columns: catalog numbers of the columns that are logged.
    :param watched: catalog numbers of the columns whose change makes an update count.
    :param every_update: whether updates are logged that change none of them: rows moved in the heap.
    :param segment: the table that is written now.
    """

    id: int
    relid: int
    writer: str
    label: str
    columns: list[int]
    watched: list[int]
    every_update: bool
    segment: str
    cap: int
    off_reason: str | None

    def table(self, segment: str) -> str:
        """The qualified name of a segment."""
        return f"lockgate.log_{self.id}_{segment}"


_SELECT = (
    "SELECT id, relid::bigint AS relid, writer, label, columns, watched, every_update, "
    "segment::text AS segment, cap, off_reason "
    "FROM lockgate.logs"
)


def of_relation(conn: Connection[Any], relid: int, writer: str = "") -> ChangeLog | None:
    """The log of a relation, None if it has none."""
    with conn.cursor(row_factory=class_row(ChangeLog)) as cursor:
        return cursor.execute(f"{_SELECT} WHERE relid = %s AND writer = %s".encode(), (relid, writer)).fetchone()


def by_id(conn: Connection[Any], log_id: int) -> ChangeLog:
    """The log of this number."""
    with conn.cursor(row_factory=class_row(ChangeLog)) as cursor:
        log = cursor.execute(f"{_SELECT} WHERE id = %s".encode(), (log_id,)).fetchone()
    assert log is not None  # callers hold a row that refers to it
    return log


def read_by(conn: Connection[Any], target_id: int) -> list[ChangeLog]:
    """The logs that a target's applier reads."""
    with conn.cursor(row_factory=class_row(ChangeLog)) as cursor:
        return cursor.execute(
            f"{_SELECT} WHERE id IN "
            "(SELECT log_id FROM lockgate.log_readers WHERE target_id = %s) ORDER BY id".encode(),
            (target_id,),
        ).fetchall()


def everything(conn: Connection[Any]) -> list[ChangeLog]:
    """All logs."""
    with conn.cursor(row_factory=class_row(ChangeLog)) as cursor:
        return cursor.execute(f"{_SELECT} ORDER BY id".encode()).fetchall()


def ensure(
    conn: Connection[Any],
    relation: Relation,
    columns: Sequence[Column],
    *,
    watched: Sequence[Column],
    writer: str = "",
    every_update: bool,
    cap: int,
) -> int:
    """Log the changes of a relation, at least of these columns; return the log's id.

    To be called in a transaction of its own: it takes one SHARE ROW EXCLUSIVE lock on the relation, so that
    no writer is between the old triggers and the new ones. Without a need it takes none.
    """
    wanted, noticed = {c.number for c in columns}, {c.number for c in watched}
    # Held from here on, so that nobody narrows what is found to be wide enough.
    conn.execute("SELECT FROM lockgate.logs WHERE relid = %s AND writer = %s FOR NO KEY UPDATE", (relation.oid, writer))
    found = of_relation(conn, relation.oid, writer)
    whole = found is not None and found.off_reason is None and not tampered(conn, [found.id])
    if found is not None and whole:
        covers = wanted <= set(found.columns) and noticed <= set(found.watched)
        if covers and (found.every_update or not every_update):
            return found.id
    if found is not None and not whole:
        _mark_blind(conn, found)
    refuse_too_many(relation, len(wanted.union(found.columns if found is not None else ())))
    conn.execute(f"LOCK TABLE {relation.sql} IN SHARE ROW EXCLUSIVE MODE".encode())
    found = found or of_relation(conn, relation.oid, writer)  # another plan may have made it meanwhile
    if found is None:
        log = _create(conn, relation, writer, sorted(wanted), sorted(noticed), every_update, cap)
    else:
        log = _widen(
            conn,
            relation,
            found,
            sorted(wanted | set(found.columns)),
            sorted(noticed | set(found.watched)),
            found.every_update or every_update,
            cap,
        )
    _write_functions(conn, relation, log)
    _write_triggers(conn, relation, log)
    return log.id


def _mark_blind(conn: Connection[Any], log: ChangeLog) -> None:
    """What was written meanwhile is in no log: everybody who reads it must compare, not just who found it out.

    Before the strong lock on the relation: an applier may hold the row of its target for a while.
    """
    why = log.off_reason or "its triggers were disabled or removed"
    readers = "id IN (SELECT target_id FROM lockgate.log_readers WHERE log_id = %s)"
    conn.execute(f"SELECT FROM lockgate.sync_targets WHERE {readers} ORDER BY id FOR NO KEY UPDATE".encode(), (log.id,))
    conn.execute(
        "UPDATE lockgate.sync_targets SET repair = true, unseen = unseen OR %s, reason = coalesce(reason, %s) "
        f"WHERE {readers}".encode(),
        (bool(log.writer), f"{log.label} was not logged ({why})", log.id),
    )


def refuse_too_many(relation: Relation, columns: int, where: str | None = None) -> None:
    """A log of so many columns cannot be made.

    :param where: the place in the plan, if it is known.
    :raises MappingRefused: if so.
    """
    if columns > MOST_COLUMNS:
        raise MappingRefused(
            f"{columns} columns of {relation.label} would have to be followed, and {MOST_COLUMNS} can be",
            where=where,
            why="its change log holds the old and the new value of each, and a table has 1600 columns at most",
            hint="read fewer of its columns, or say `sync: none`",
        )


def narrow(conn: Connection[Any], relation: Relation) -> None:
    """Log only updates that change a logged column again, once no block ranges are open any more.

    Another mapping, of this plan or another, may still read the relation by blocks; then the last one narrows it.
    """
    conn.execute("SELECT FROM lockgate.logs WHERE relid = %s FOR NO KEY UPDATE", (relation.oid,))
    widened = conn.execute(
        "UPDATE lockgate.logs l SET every_update = false WHERE l.relid = %s AND l.every_update AND NOT EXISTS ("
        "SELECT FROM lockgate.log_readers r JOIN lockgate.sync_targets t ON t.id = r.target_id "
        "WHERE r.log_id = l.id AND t.state = 'backfill') RETURNING l.id",
        (relation.oid,),
    ).fetchall()
    for (log_id,) in widened:
        _write_triggers(conn, relation, by_id(conn, log_id))


def drop(conn: Connection[Any], log: ChangeLog) -> None:
    """Remove a log with its triggers, by one strong lock on its relation; the relation may be gone."""
    silence(conn, log)
    for segment in SEGMENTS:
        conn.execute(f"DROP TABLE IF EXISTS {log.table(segment)}".encode())
    conn.execute(f"DROP SEQUENCE IF EXISTS lockgate.log_{log.id}_id".encode())
    conn.execute("DELETE FROM lockgate.logs WHERE id = %s", (log.id,))


def silence(conn: Connection[Any], log: ChangeLog) -> None:
    """Take the triggers of a log off, by one strong lock on its relation, if nobody will need what it would tell.

    What is left of it can then be dropped without a lock on the relation.
    """
    row = conn.execute(
        "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s AND c.relkind = 'p'",
        (log.relid,),
    ).fetchone()
    if row is not None:  # first of all, for whoever uses a partition by it has to wait then; else each is waited for
        conn.execute(f"LOCK TABLE {row[0]} IN ACCESS EXCLUSIVE MODE".encode())
    for piece in PIECES:
        conn.execute(f"DROP FUNCTION IF EXISTS lockgate.log_{log.id}_{piece}() CASCADE".encode())


def tampered(conn: Connection[Any], log_ids: Collection[int]) -> dict[int, str]:
    """The logs whose triggers are not as they were written, on the relation or one of its partitions: id -> writer.

    What was written meanwhile may be in no log, also when they have been put back since.
    """
    rows = conn.execute(
        "SELECT id, writer FROM lockgate.logs WHERE id = ANY (%s) "
        "AND triggers IS DISTINCT FROM lockgate.triggers_of(id, relid)",
        (list(log_ids),),
        prepare=True,
    ).fetchall()
    return {int(log_id): str(writer) for log_id, writer in rows}


def rotate(conn: Connection[Any], relation: Relation, log: ChangeLog) -> None:
    """Write to the other segment from now on. Takes no lock on the relation."""
    conn.execute("SELECT pg_advisory_xact_lock(7166191, %s::int)", (log.id,))
    other = "b" if log.segment == "a" else "a"
    updated = conn.execute(
        "UPDATE lockgate.logs SET segment = %s WHERE id = %s AND segment = %s AND off_at IS NULL",
        (other, log.id, log.segment),
    )
    if updated.rowcount:
        _write_functions(conn, relation, by_id(conn, log.id))


def _create(
    conn: Connection[Any],
    relation: Relation,
    writer: str,
    columns: list[int],
    watched: list[int],
    every_update: bool,
    cap: int,
) -> ChangeLog:
    conn.execute(
        "INSERT INTO lockgate.logs (relid, writer, label, columns, watched, every_update, cap) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (relation.oid, writer, relation.label, columns, watched, every_update, cap),
    )
    log = of_relation(conn, relation.oid, writer)
    assert log is not None
    conn.execute(f"CREATE SEQUENCE lockgate.log_{log.id}_id".encode())
    listed = "".join(
        f", o{c.number} {c.plain_type}, n{c.number} {c.plain_type}" for c in map(relation.by_number, columns)
    )
    for segment in SEGMENTS:
        conn.execute(
            f"CREATE TABLE {log.table(segment)} ("
            f"id bigint NOT NULL DEFAULT pg_catalog.nextval('lockgate.log_{log.id}_id'), "
            "xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), "
            f'at timestamptz NOT NULL DEFAULT pg_catalog.now(), op "char" NOT NULL{listed}'
            ") WITH (autovacuum_enabled = false)".encode()
        )
        conn.execute(f"CREATE INDEX ON {log.table(segment)} (xid)".encode())
    return log


def _widen(
    conn: Connection[Any],
    relation: Relation,
    log: ChangeLog,
    columns: list[int],
    watched: list[int],
    every_update: bool,
    cap: int,
) -> ChangeLog:
    for number in set(columns) - set(log.columns):
        column = relation.by_number(number)
        for segment in SEGMENTS:
            conn.execute(
                f"ALTER TABLE {log.table(segment)} ADD COLUMN o{number} {column.plain_type}, "
                f"ADD COLUMN n{number} {column.plain_type}".encode()
            )
    conn.execute(
        "UPDATE lockgate.logs SET columns = %s, watched = %s, every_update = %s, cap = %s, off_at = NULL, "
        "off_reason = NULL WHERE id = %s",
        (columns, watched, every_update, cap, log.id),
    )
    return by_id(conn, log.id)


def _write_functions(conn: Connection[Any], relation: Relation, log: ChangeLog) -> None:
    logged = relation.present(log.columns)
    numbers, names = [column.number for column in logged], [column.sql for column in logged]
    old = ("".join(f", o{n}" for n in numbers), "".join(f", OLD.{name}" for name in names))
    new = ("".join(f", n{n}" for n in numbers), "".join(f", NEW.{name}" for name in names))
    both = (old[0] + new[0], old[1] + new[1])
    for piece, op, (columns, values) in (("insert", "I", new), ("update", "U", both), ("delete", "D", old)):
        conn.execute(
            f"CREATE OR REPLACE FUNCTION lockgate.log_{log.id}_{piece}() RETURNS trigger "
            "LANGUAGE plpgsql SECURITY DEFINER AS $lockgate$\n"
            "DECLARE number bigint;\nBEGIN\n"
            f"    INSERT INTO {log.table(log.segment)} (op{columns}) VALUES ('{op}'{values})\n"
            "        RETURNING id INTO number;\n"
            f"    IF number OPERATOR(pg_catalog.%) {_CAP_INTERVAL} OPERATOR(pg_catalog.=) 0 THEN\n"
            f"        PERFORM lockgate.check_cap({log.id});\n"
            "    END IF;\n    RETURN NULL;\nEND $lockgate$".encode()
        )
    conn.execute(
        f"CREATE OR REPLACE FUNCTION lockgate.log_{log.id}_truncate() RETURNS trigger "
        "LANGUAGE plpgsql SECURITY DEFINER AS $lockgate$\nBEGIN\n"
        f"    INSERT INTO {log.table(log.segment)} (op) VALUES ('T');\n    RETURN NULL;\nEND $lockgate$".encode()
    )


def _write_triggers(conn: Connection[Any], relation: Relation, log: ChangeLog) -> None:
    foreign = ""
    if log.writer:
        mark = "pg_catalog.current_setting('lockgate.writer', true)"
        foreign = f"{mark} IS DISTINCT FROM '{log.writer}'"
    changed = ""
    if relation.present(log.watched):
        names = [column.sql for column in relation.present(log.watched)]
        old, new = (", ".join(f"{side}.{name}" for name in names) for side in ("OLD", "NEW"))
        changed = f"pg_catalog.record_image_ne(ROW({old}), ROW({new}))"
        # Said even where every update counts: the server refuses to drop a column that a condition names.
        changed = f"({changed} OR true)" if log.every_update else changed
    for piece in ("insert", "update", "delete"):
        conditions = [text for text in (foreign, changed if piece == "update" else "") if text]
        when = f" WHEN ({' AND '.join(conditions)})" if conditions else ""
        name = f"lockgate_log_{log.id}_{piece}"
        conn.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {piece.upper()} ON {relation.sql} "
            f"FOR EACH ROW{when} EXECUTE FUNCTION lockgate.log_{log.id}_{piece}()".encode()
        )
        _fire_always(conn, relation, name)
    name = f"lockgate_log_{log.id}_truncate"
    for table in _tables(relation):
        conn.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION lockgate.log_{log.id}_truncate()".encode()
        )
        conn.execute(f"ALTER TABLE ONLY {table} ENABLE ALWAYS TRIGGER {name}".encode())
    conn.execute("UPDATE lockgate.logs SET triggers = lockgate.triggers_of(id, relid) WHERE id = %s", (log.id,))


def _fire_always(conn: Connection[Any], relation: Relation, trigger: str) -> None:
    """Rows that arrive by logical replication count, too."""
    for table in _tables(relation):
        conn.execute(f"ALTER TABLE ONLY {table} ENABLE ALWAYS TRIGGER {trigger}".encode())


def _tables(relation: Relation) -> list[str]:
    partitions = [leaf.sql for leaf in relation.leaves if leaf.oid != relation.oid]
    return [relation.sql, *partitions]
