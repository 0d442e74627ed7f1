"""How far the sync of each target is, and whether somebody applies at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from lockgate.mapping import changelog
from lockgate.mapping.changelog import SEGMENTS
from lockgate.mapping.images import Window

AT_REST = {
    "cut_over": "the application owns it since the cutover",
    "waiting": "a way back that begins with the cutover",
    "ready": "a way back that begins with the cutover",
    "closed": "a way back that was closed",
}
"""States in which nothing is applied, in words."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The sync of one target.

    :param state: backfill, live, off, or unsynced; cut_over: the application owns it; of a way back waiting, ready, or
        closed.
    :param trouble: why its changes cannot be applied at present.
    :param pending_rows: logged changes that are not applied yet.
    :param oldest_change_age_seconds: age of the oldest of them; None without any.
    :param log_bytes: size of the change logs that it reads (a log may have several readers).
    :param poison: keys that the target refuses.
    :param conflicts: keys that both models wrote differently; the old one's rows stand.
    :param recheck: keys that wait for a second look.
    :param silent_seconds: since somebody last looked for changes, or since the target was made.
    """

    target_id: int
    target: str
    mappings: tuple[str, ...]
    state: str
    reason: str | None
    trouble: str | None
    pending_rows: int
    oldest_change_age_seconds: float | None
    log_bytes: int
    log_cap: int
    poison: int
    conflicts: int
    recheck: int
    silent_seconds: float


def status(conn: Connection[Any], plan: str) -> list[SyncStatus]:
    """Look at every target of a plan."""
    rows = conn.execute(
        "SELECT t.id, t.name, t.state, t.reason, t.trouble, t.snapshot::text, "
        "extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(t.last_applied_at, t.made_at))::float8, "
        "ARRAY(SELECT m.name FROM lockgate.mappings m WHERE m.target_id = t.id ORDER BY m.position), "
        "(SELECT count(*) FROM lockgate.poison p WHERE p.target_id = t.id), "
        "(SELECT count(*) FROM lockgate.conflicts c WHERE c.target_id = t.id) "
        "FROM lockgate.sync_targets t WHERE t.plan = %s ORDER BY t.id",
        (plan,),
    ).fetchall()
    return [_status(conn, row) for row in rows]


def behind(conn: Connection[Any], target_id: int, moment: datetime) -> bool:
    """Whether a change is still to be applied that was logged before a moment; never for what nobody follows."""
    row = conn.execute(
        "SELECT snapshot::text FROM lockgate.sync_targets WHERE id = %s AND state IN ('backfill', 'live')", (target_id,)
    ).fetchone()
    if row is None:
        return False
    for log in changelog.read_by(conn, target_id):
        query = f"SELECT FROM ({Window(row[0]).rows(log, 'at')}) AS r WHERE r.at <= %s LIMIT 1"
        if conn.execute(query.encode(), (moment,)).fetchone() is not None:
            return True
    return False


def _status(conn: Connection[Any], row: tuple[Any, ...]) -> SyncStatus:
    target_id, name, state, reason, trouble, snapshot, silent, mappings, poison, conflicts = row
    logs = changelog.read_by(conn, target_id)
    pending, oldest, size = 0, None, 0
    for log in logs:
        if state not in AT_REST:
            pending += _one(conn, f"SELECT count(*) FROM ({Window(snapshot).rows(log, 'op')}) AS r") or 0
            age = _one(
                conn,
                "SELECT extract(epoch FROM pg_catalog.clock_timestamp() - min(at))::float8 "
                f"FROM ({Window(snapshot).rows(log, 'at')}) AS r",
            )
            oldest = age if oldest is None else max(oldest, age or 0.0)
        for segment in SEGMENTS:
            size += _one(conn, f"SELECT pg_catalog.pg_total_relation_size('{log.table(segment)}'::regclass)") or 0
        reason = reason or log.off_reason
    return SyncStatus(
        target_id=target_id,
        target=name,
        mappings=tuple(mappings),
        state="off" if state not in AT_REST and any(log.off_reason for log in logs) else state,
        reason=reason,
        trouble=trouble,
        pending_rows=pending,
        oldest_change_age_seconds=oldest,
        log_bytes=size,
        log_cap=min((log.cap for log in logs), default=0),
        poison=poison,
        conflicts=conflicts,
        recheck=_one(conn, f"SELECT count(*) FROM lockgate.recheck_{target_id}") or 0,
        silent_seconds=silent,
    )


def _one(conn: Connection[Any], statement: str) -> Any:
    row = conn.execute(statement.encode()).fetchone()
    return row[0] if row else None
