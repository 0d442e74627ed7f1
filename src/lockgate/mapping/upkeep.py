"""Keeping the change logs small and whole: rotate, empty, switch off what is over, repair what was missed."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.engine.faults import fault
from lockgate.mapping import changelog, reconcile
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.group import Group

# A segment that is larger than this is emptied as soon as nobody needs it: polls stay cheap.
ROTATE_BYTES = 4 * 1024 * 1024
# What the tables of a closed model hold that no way back yields is what the new one never took: it is found out once,
# and nobody can add to it.
_KEEPS_EXTRA = """
SELECT CASE WHEN EXISTS (SELECT FROM lockgate.cutover_targets c WHERE c.target_id = t.id AND c.back)
            THEN NOT t.own_rows_kept ELSE t.unseen END
FROM lockgate.sync_targets t WHERE t.id = %s
"""


def tidy(conn: Connection[Any], log: ChangeLog) -> bool:
    """Rotate or empty one log if it is time; whether something was done. Never waits for a lock."""
    if log.off_reason is not None:
        return False
    other = "b" if log.segment == "a" else "a"
    if _bytes(conn, log, other):
        return _empty(conn, log, other)
    if _bytes(conn, log, log.segment) < ROTATE_BYTES:
        return False
    with conn.transaction():
        changelog.rotate(conn, catalog.read(conn, log.relid), log)
        fault("log.rotate.commit")
    fault("log.rotated")
    return True


def _bytes(conn: Connection[Any], log: ChangeLog, segment: str) -> int:
    row = conn.execute("SELECT pg_catalog.pg_relation_size(%s::regclass)", (log.table(segment),)).fetchone()
    return int(row[0] or 0) if row else 0  # NULL: it was dropped in this very moment, with what it was for


def _empty(conn: Connection[Any], log: ChangeLog, segment: str) -> bool:
    """Truncate a segment that is not written any more, once every reader has taken in all of it."""
    try:
        with conn.transaction():
            # Nobody can be writing behind this lock, and nobody must wait for it: it is had at once or not at all.
            conn.execute(f"LOCK TABLE {log.table(segment)} IN ACCESS EXCLUSIVE MODE NOWAIT".encode())
            if _needed(conn, log, segment):
                return False
            conn.execute(f"TRUNCATE {log.table(segment)}".encode())
            fault("log.empty.commit")
    except psycopg.errors.LockNotAvailable:
        return False
    fault("log.emptied")
    return True


def _needed(conn: Connection[Any], log: ChangeLog, segment: str) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM lockgate.log_readers r JOIN lockgate.backlog b ON b.target_id = r.target_id "
        "WHERE r.log_id = %s) OR EXISTS (SELECT FROM lockgate.log_readers r "
        "JOIN lockgate.sync_targets t ON t.id = r.target_id WHERE r.log_id = %s "
        "AND t.state IN ('backfill', 'live', 'unsynced', 'ready') "
        f"AND EXISTS (SELECT FROM {log.table(segment)} l "
        "WHERE NOT pg_catalog.pg_visible_in_snapshot(l.xid, t.snapshot)))".encode(),
        (log.id, log.id),
    ).fetchone()
    return bool(row and row[0])


def switched_off(conn: Connection[Any], group: Group) -> str | None:
    """Why a log of this target was switched off, None if all are on."""
    for log in changelog.read_by(conn, group.target_id):
        if log.off_reason is not None:
            return f"{log.label}: {log.off_reason}"
    return None


def reason(conn: Connection[Any], target_id: int) -> str | None:
    """Why a target must be compared as a whole, where that is known."""
    row = conn.execute("SELECT reason FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    return row[0] if row else None


def reinstall(conn: Connection[Any], cap: int, log: ChangeLog) -> None:
    """Put the triggers of one log back, in a transaction of its own: it takes one strong lock, if any is missing."""
    relation = catalog.read(conn, log.relid)
    changelog.ensure(
        conn,
        relation,
        relation.present(log.columns),
        watched=relation.present(log.watched),
        writer=log.writer,
        every_update=log.every_update,
        cap=cap,
    )


def repair(conn: Connection[Any], group: Group) -> int:
    """Compare the whole target in one snapshot, and have every key that differs looked at again; return how many."""
    with reconcile.one_snapshot(conn, group):
        row = conn.execute(_KEEPS_EXTRA, (group.target_id,)).fetchone()
        marked = reconcile.mark_mismatches(conn, group, keep_extra=bool(row and row[0]))
        conn.execute(
            "UPDATE lockgate.sync_targets SET repair = false, unseen = false, reason = NULL, own_rows_kept = true "
            "WHERE id = %s",
            (group.target_id,),
        )
        fault("sync.repair.commit")
    return marked


def logs_of(conn: Connection[Any], group: Group) -> list[ChangeLog]:
    """The logs of the relations that a target reads, and of its own, as they are now."""
    return [log for log in changelog.read_by(conn, group.target_id) if log.id in group.log_ids]
