"""Whether everything that was written to the tables that are read has reached the targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection

from lockgate.mapping import changelog
from lockgate.mapping.changelog import SEGMENTS

# A row may be refused for a moment, which waits for the one that it refers to; it is tried again after 2 and 6 seconds.
_TRIES = 3
_UNSETTLED = """
SELECT EXISTS (SELECT FROM lockgate.backlog WHERE target_id = ANY (%(targets)s))
    OR EXISTS (SELECT FROM lockgate.sync_targets WHERE id = ANY (%(targets)s) AND (repair OR state <> 'live'))
"""


def drained(conn: Connection[Any], targets: Sequence[int], pause: Callable[[], bool]) -> bool:
    """Wait until all that was committed before this call is applied to the targets, and what they fed one another.

    An applier of one target writes what another one reads, so that it is looked again until a look finds nothing. At
    most once for each target, for no chain of them is longer; so that what the application writes to the new model
    meanwhile keeps nobody waiting for ever.

    :param conn: an autocommit connection: each look sees what is committed by then.
    :param pause: waits a moment; whether there is time for another look.
    """
    for _ in targets:
        until, looks = now(conn), 0
        while _pending(conn, targets, until):
            looks += 1
            if not pause():
                return False
        if not looks:
            return True
    return True


def pending(conn: Connection[Any], targets: Sequence[int]) -> bool:
    """Whether anything that is committed now is still to be applied."""
    return bool(targets) and _pending(conn, targets, now(conn))


def now(conn: Connection[Any]) -> str:
    """The present snapshot, as text."""
    row = conn.execute("SELECT pg_catalog.pg_current_snapshot()::text").fetchone()
    assert row is not None
    return str(row[0])


def refused(conn: Connection[Any], targets: Sequence[int], *, for_good: bool) -> list[tuple[str, int]]:
    """The targets that refuse keys, with how many: name, keys.

    :param for_good: only those that were tried again and again for a while.
    """
    tried = f"attempts >= {_TRIES}" if for_good else "true"
    rows = conn.execute(
        "SELECT t.name, count(*) FROM lockgate.poison p JOIN lockgate.sync_targets t ON t.id = p.target_id "
        f"WHERE p.target_id = ANY (%s) AND {tried} GROUP BY t.id, t.name ORDER BY t.id".encode(),
        (list(targets),),
    )
    return [(str(name), int(count)) for name, count in rows]


def _pending(conn: Connection[Any], targets: Sequence[int], until: str) -> bool:
    """Whether something that was visible in a snapshot is still to be applied.

    Keys that wait for a second look are ones to which a chunk, or a comparison, was too late.
    """
    row = conn.execute(_UNSETTLED.encode(), {"targets": list(targets)}).fetchone()
    if row and row[0]:
        return True
    parts = [f"EXISTS (SELECT FROM lockgate.recheck_{target})" for target in targets]
    parts += [
        f"EXISTS (SELECT FROM {log.table(segment)} l JOIN lockgate.sync_targets t ON t.id = {target} "
        f"WHERE pg_catalog.pg_visible_in_snapshot(l.xid, '{until}'::pg_snapshot) "
        "AND NOT pg_catalog.pg_visible_in_snapshot(l.xid, t.snapshot))"
        for target in targets
        for log in changelog.read_by(conn, target)
        for segment in SEGMENTS
    ]
    row = conn.execute(f"SELECT {' OR '.join(parts)}".encode()).fetchone()
    return bool(row and row[0])
