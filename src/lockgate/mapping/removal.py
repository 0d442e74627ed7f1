"""The undo of a mapping: stop the sync, and take back what was written."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.errors import PlanError
from lockgate.mapping import blocks, changelog, group, stakes, unfit
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.group import Group
from lockgate.mapping.queries import first_number
from lockgate.mapping.unfit import Unfit


def rows_at_stake(conn: Connection[Any], loaded: Group) -> int:
    """How many rows that a transform changed the application has changed since."""
    evaluation = loaded.evaluation
    return first_number(conn, evaluation.changed_since()) if evaluation.keeps_before else 0


def forget_mapping(conn: Connection[Any], plan: str, target_id: int, name: str) -> None:
    """Take a mapping out of its target, in the open transaction.

    The others are done: had chunks of theirs been open, this one would not have begun. What kept the target from being
    applied may have been this one.
    """
    conn.execute("DELETE FROM lockgate.mappings WHERE plan = %s AND name = %s", (plan, name))
    conn.execute("DELETE FROM lockgate.quarantine WHERE plan = %s AND mapping = %s", (plan, name))
    last = not still_mapped(conn, target_id)
    conn.execute(
        "UPDATE lockgate.sync_targets SET epoch = epoch + 1, repair = NOT %s, trouble = NULL, "
        "state = CASE WHEN %s THEN 'off' WHEN state = 'backfill' THEN 'live' ELSE state END, "
        "reason = CASE WHEN %s THEN 'being taken back' ELSE %s END WHERE id = %s",
        (last, last, last, stakes.TAKEN_OUT, target_id),
    )


def stop_applying(conn: Connection[Any], target_id: int) -> None:
    """In the open transaction: no applier may put back what is about to be removed."""
    conn.execute(
        "UPDATE lockgate.sync_targets SET state = 'off', repair = false, epoch = epoch + 1 WHERE id = %s",
        (target_id,),
    )


def still_mapped(conn: Connection[Any], target_id: int) -> bool:
    """Whether any mapping feeds the target."""
    return first_number(conn, f"SELECT count(*) FROM lockgate.mappings WHERE target_id = {target_id}") > 0


def take_back(conn: Connection[Any], loaded: Group, block: int, *, born_too: bool) -> int | None:
    """Take back the rows of some blocks of the target in the open transaction; the next block, None at the end.

    Of a map, ``stakes.find_own`` must have been called over this connection.
    """
    evaluation = loaded.evaluation
    if stakes.nothing_written(conn, loaded.target_id) or (evaluation.updates_only and not evaluation.keeps_before):
        return None
    conn.execute("SELECT pg_catalog.set_config('lockgate.writer', %s, true)", (loaded.writer,))
    if block == 0 and not evaluation.updates_only:
        # Where the application has made a row again since its first one was replaced, that one need not come back.
        again = stakes.is_in(loaded, stakes.own_table(loaded))
        conn.execute(f"DELETE FROM {evaluation.replaced} AS t WHERE {again}".encode())
    for leaf in evaluation.target.leaves:
        place = blocks.place(block)
        if evaluation.updates_only:
            conn.execute(evaluation.restore_before(leaf.sql, place, over_own=born_too).encode())
            continue
        conn.execute(evaluation.put_back(leaf.sql, place).encode())
        kept = f"NOT {stakes.is_in(loaded, evaluation.replaced)}"
        kept += "" if born_too else f" AND {_made_here(loaded)}"
        conn.execute(f"DELETE FROM ONLY {leaf.sql} AS t WHERE {place} AND {kept}".encode())
    following = blocks.following(conn, evaluation.target, block)
    if following is None and not evaluation.updates_only:
        conn.execute(evaluation.put_back_absent().encode())
    return following


def _made_here(loaded: Group) -> str:
    """The condition on a row of the target, ``t``, that it is none of the application's own.

    Neither of those that were found, nor of those that it has made since.
    """
    found = f"NOT {stakes.is_in(loaded, stakes.own_table(loaded))}"
    if loaded.touched is None:
        return f"{found} AND {stakes.yielded(loaded.compiled)}"
    return f"{found} AND NOT ({stakes.logged(loaded)} AND NOT {stakes.yielded(loaded.compiled)})"


def unread_logs(conn: Connection[Any], *targets: int) -> list[ChangeLog]:
    """The logs that only these targets read: they go with them."""
    found = {log.id: log for target_id in targets for log in changelog.read_by(conn, target_id)}
    others = conn.execute(
        "SELECT DISTINCT log_id FROM lockgate.log_readers WHERE log_id = ANY (%s) AND target_id <> ALL (%s)",
        (list(found), list(targets)),
    )
    read = {int(log_id) for (log_id,) in others}
    return [log for log_id, log in sorted(found.items()) if log_id not in read]


def drop_target(conn: Connection[Any], target_id: int) -> None:
    """Remove the target's own tables and its place in the ledger, in the open transaction."""
    for table in ("recheck", "born", "replaced", "before"):
        conn.execute(f"DROP TABLE IF EXISTS lockgate.{table}_{target_id}".encode())
    conn.execute("DELETE FROM lockgate.log_readers WHERE target_id = %s", (target_id,))
    conn.execute("DELETE FROM lockgate.sync_targets WHERE id = %s", (target_id,))


def live_targets(conn: Connection[Any]) -> list[tuple[int, str]]:
    """All targets that are kept in step, of any plan: (number, name)."""
    rows = conn.execute(
        "SELECT id, name FROM lockgate.sync_targets WHERE state IN ('backfill', 'live') ORDER BY id"
    ).fetchall()
    return [(int(number), str(name)) for number, name in rows]


def load(conn: Connection[Any], plan: str, name: str) -> Group | Unfit | None:
    """The target that a mapping feeds, None if the mapping is not in the ledger."""
    row = conn.execute("SELECT target_id FROM lockgate.mappings WHERE plan = %s AND name = %s", (plan, name)).fetchone()
    if row is None:
        return None
    try:
        return group.load(conn, int(row[0]))
    except PlanError as error:
        return unfit.load(conn, int(row[0]), error)


def misfit(conn: Connection[Any], target_id: int) -> str | None:
    """Why the mappings of a target fit the database no more, None if they do."""
    try:
        group.load(conn, target_id)
    except PlanError as error:
        return error.what
    return None
