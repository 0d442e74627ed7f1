"""The undo of a mapping: stop the sync, take back what was written, and say what would be lost."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.mapping import changelog, group
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.compiled import equal, equal_as_held
from lockgate.mapping.group import Group

_BLOCKS = 2_000


def rows_at_stake(conn: Connection[Any], loaded: Group) -> int:
    """How many rows that the application wrote would be lost by taking the mapping back."""
    evaluation = loaded.evaluation
    if evaluation.updates_only:
        return _number(conn, evaluation.changed_since()) if evaluation.keeps_before else 0
    if len(loaded.compiled) > 1:
        return 0  # the other mappings keep the table, and what was born in it stays
    return _number(conn, f"SELECT count(*) FROM {evaluation.target.sql} AS t WHERE {_own(loaded)}")


def _own(loaded: Group) -> str:
    """A condition on the target, as ``t``: the application wrote this row, and nothing yields it.

    It holds also for rows that no applier has taken in yet: nobody may have applied for a while.
    """
    evaluation = loaded.evaluation
    born = f"EXISTS (SELECT FROM {evaluation.born} AS b WHERE {equal(evaluation.key, 't', 'b')})"
    if loaded.touched is None:
        return born
    new = ", ".join(f"n{c.number} AS {c.sql}" for c in evaluation.key)
    written = " UNION ALL ".join(
        f"SELECT {new} FROM {loaded.touched.table(segment)} WHERE op IN ('I', 'U')" for segment in changelog.SEGMENTS
    )
    yielded = " OR ".join(
        f"EXISTS (SELECT FROM ({mapping.select.render()}) AS y WHERE {equal_as_held(evaluation.key, 't', 'y')})"
        for mapping in loaded.compiled
    )
    logged = f"EXISTS (SELECT FROM ({written}) AS l WHERE {equal(evaluation.key, 't', 'l')})"
    return f"({born} OR ({logged} AND NOT ({yielded})))"


def forget_mapping(conn: Connection[Any], loaded: Group, name: str) -> bool:
    """Take a mapping out of its target, in the open transaction; whether it was the last one.

    The others are done: had chunks of theirs been open, this one would not have begun.
    """
    conn.execute("DELETE FROM lockgate.mappings WHERE plan = %s AND name = %s", (loaded.plan, name))
    conn.execute("DELETE FROM lockgate.quarantine WHERE plan = %s AND mapping = %s", (loaded.plan, name))
    last = len([mapping for mapping in loaded.compiled if mapping.name != name]) == 0
    conn.execute(
        "UPDATE lockgate.sync_targets SET epoch = epoch + 1, repair = NOT %s, "
        "state = CASE WHEN %s THEN 'off' WHEN state = 'backfill' THEN 'live' ELSE state END, "
        "reason = CASE WHEN %s THEN 'being taken back' ELSE 'a mapping was taken out' END WHERE id = %s",
        (last, last, last, loaded.target_id),
    )
    return last


def stop_applying(conn: Connection[Any], loaded: Group) -> None:
    """In the open transaction: no applier may put back what is about to be removed."""
    conn.execute(
        "UPDATE lockgate.sync_targets SET state = 'off', repair = false, epoch = epoch + 1 WHERE id = %s",
        (loaded.target_id,),
    )


def still_mapped(conn: Connection[Any], target_id: int) -> bool:
    """Whether any mapping feeds the target."""
    return _number(conn, f"SELECT count(*) FROM lockgate.mappings WHERE target_id = {target_id}") > 0


def take_back(conn: Connection[Any], loaded: Group, block: int, *, born_too: bool) -> int | None:
    """Take back the rows of some blocks of the target in the open transaction; the next block, None at the end."""
    evaluation = loaded.evaluation
    conn.execute("SELECT pg_catalog.set_config('lockgate.writer', %s, true)", (loaded.writer,))
    if evaluation.updates_only:
        if evaluation.keeps_before:
            conn.execute(evaluation.restore_before().encode())
        return None
    kept = "" if born_too else f" AND NOT {_own(loaded)}"
    for leaf in evaluation.target.leaves:
        conn.execute(
            f"DELETE FROM ONLY {leaf.sql} AS t WHERE t.ctid >= '({block},0)'::tid "
            f"AND t.ctid < '({block + _BLOCKS},0)'::tid{kept}".encode()
        )
    sizes = [
        _number(
            conn,
            f"SELECT pg_catalog.pg_relation_size({leaf.oid}::oid) / pg_catalog.current_setting('block_size')::bigint",
        )
        for leaf in evaluation.target.leaves
    ]
    return block + _BLOCKS if block + _BLOCKS < max(sizes, default=0) else None


def unread_logs(conn: Connection[Any], target_id: int) -> list[ChangeLog]:
    """The logs that only this target reads: they go with it."""
    return [
        log
        for log in changelog.read_by(conn, target_id)
        if _number(conn, f"SELECT count(*) FROM lockgate.log_readers WHERE log_id = {log.id}") == 1
    ]


def drop_log(conn: Connection[Any], target_id: int, log: ChangeLog) -> None:
    """Remove a log and its triggers, in a transaction of its own: it takes one strong lock."""
    conn.execute("DELETE FROM lockgate.log_readers WHERE target_id = %s AND log_id = %s", (target_id, log.id))
    changelog.drop(conn, log)


def drop_target(conn: Connection[Any], target_id: int) -> None:
    """Remove the target's own tables and its place in the ledger, in the open transaction."""
    for table in ("recheck", "born", "before"):
        conn.execute(f"DROP TABLE IF EXISTS lockgate.{table}_{target_id}".encode())
    conn.execute("DELETE FROM lockgate.log_readers WHERE target_id = %s", (target_id,))
    conn.execute("DELETE FROM lockgate.sync_targets WHERE id = %s", (target_id,))


def live_targets(conn: Connection[Any]) -> list[tuple[int, str]]:
    """All targets that are kept in step, of any plan: (number, name)."""
    rows = conn.execute(
        "SELECT id, name FROM lockgate.sync_targets WHERE state IN ('backfill', 'live') ORDER BY id"
    ).fetchall()
    return [(int(number), str(name)) for number, name in rows]


def load(conn: Connection[Any], plan: str, name: str) -> Group | None:
    """The target that a mapping feeds, None if the mapping is not in the ledger."""
    row = conn.execute("SELECT target_id FROM lockgate.mappings WHERE plan = %s AND name = %s", (plan, name)).fetchone()
    return group.load(conn, int(row[0])) if row else None


def _number(conn: Connection[Any], statement: str) -> int:
    row = conn.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
