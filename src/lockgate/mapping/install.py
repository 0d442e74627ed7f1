"""What a mapping needs in the database: its place in the ledger, its tables, and the logs it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from lockgate.catalog.relations import Column, Relation
from lockgate.mapping import changelog, group
from lockgate.mapping.circles import refuse_circle
from lockgate.mapping.compiled import Base, Compiled, names
from lockgate.mapping.definition import Definition
from lockgate.mapping.foreign import refuse_restricting
from lockgate.mapping.group import Group
from lockgate.mapping.overlap import refuse_overlap

Work = Callable[[Connection[Any]], None]
Locked = Callable[[Relation, Work], None]
"""Runs work that takes one strong lock on a relation, in a transaction of its own."""
Unlocked = Callable[[Work], None]
"""Runs work that takes no strong lock, in a transaction of its own."""


def register(conn: Connection[Any], plan: str, compiled: Compiled, *, back: bool = False) -> int:
    """Give a mapping its place in the ledger, in the open transaction; return its target, whose appliers start anew.

    The target's snapshot is taken before any trigger of it exists, so that no change can be older than it.

    :param back: it is the way back of a cutover, which begins when what it leads back from is over: no circle.
    """
    definition = compiled.definition
    target_id = _target(conn, plan, compiled)
    made = conn.execute(
        "INSERT INTO lockgate.mappings (plan, name, target_id, position, definition) "
        "SELECT %s, %s, %s, coalesce(max(position) + 1, 0), %s FROM lockgate.mappings WHERE target_id = %s "
        "ON CONFLICT (plan, name) DO NOTHING",
        (plan, definition.name, target_id, Jsonb(definition.dump()), target_id),
    ).rowcount
    if made:
        _refuse_unlike(conn, target_id, compiled)
        if not back:
            refuse_circle(conn, compiled)
        refuse_overlap(conn, target_id, compiled)
        refuse_restricting(conn, compiled)
        conn.execute(
            "UPDATE lockgate.sync_targets SET epoch = epoch + 1, "
            "state = CASE WHEN %s THEN 'waiting' WHEN %s AND own_rows_kept THEN 'backfill' ELSE 'unsynced' END "
            "WHERE id = %s",
            (back, definition.sync, target_id),
        )
    return target_id


def _target(conn: Connection[Any], plan: str, compiled: Compiled) -> int:
    name = group.target_name(compiled.definition)
    conn.execute(
        "INSERT INTO lockgate.sync_targets (plan, name, relid, state, snapshot, own_rows_kept) "
        "VALUES (%s, %s, %s, 'unsynced', pg_catalog.pg_current_snapshot(), %s) ON CONFLICT (plan, name) DO NOTHING",
        (plan, name, compiled.target.oid, compiled.definition.updates_only),
    )
    # First the target's row, as the applier does: after its table it would be waited for with that table in hand.
    row = conn.execute(
        "SELECT id FROM lockgate.sync_targets WHERE plan = %s AND name = %s FOR NO KEY UPDATE", (plan, name)
    ).fetchone()
    assert row is not None
    target_id = int(row[0])
    key = ", ".join(f"{column.sql} {column.plain_type} NOT NULL" for column in compiled.key)
    recheck = f"lockgate.recheck_{target_id}"
    conn.execute(f"CREATE TABLE IF NOT EXISTS {recheck} ({key}, lockgate_fence xid8 NOT NULL)".encode())
    conn.execute(f"ALTER TABLE {recheck} REPLICA IDENTITY FULL".encode())  # a publication may have all tables
    conn.execute(f"CREATE INDEX IF NOT EXISTS recheck_{target_id}_fence ON {recheck} (lockgate_fence)".encode())
    conn.execute(
        f"CREATE TABLE IF NOT EXISTS lockgate.born_{target_id} ({key}, PRIMARY KEY ({names(compiled.key)}))".encode()
    )
    conn.execute(
        f"CREATE TABLE IF NOT EXISTS lockgate.replaced_{target_id} "
        f"({key}, lockgate_image jsonb NOT NULL, PRIMARY KEY ({names(compiled.key)}))".encode()
    )
    if compiled.definition.keep_before:
        values = "".join(f", lockgate_{v}{c.number} {c.plain_type}" for c in compiled.columns for v in "on")
        conn.execute(
            f"CREATE TABLE IF NOT EXISTS lockgate.before_{target_id} "
            f"({key}{values}, PRIMARY KEY ({names(compiled.key)}))".encode()
        )
    return target_id


def _refuse_unlike(conn: Connection[Any], target_id: int, compiled: Compiled) -> None:
    loaded = group.load(conn, target_id)
    group.refuse_unlike([*(c for c in loaded.compiled if c.name != compiled.name), compiled])


def prepare(compiled: Compiled, target_id: int, cap: int, locked: Locked, unlocked: Unlocked) -> None:
    """Install the logs, and remember what the target holds of the application's own before anything is written to it.

    First the target's log, so that what the application writes while the rows are copied is told by it; and until
    they are, no applier follows the target.
    """
    definition = compiled.definition
    if definition.sync:
        _log_target(compiled, target_id, cap, locked)
    if not definition.updates_only:
        unlocked(lambda conn: _keep_own_rows(conn, compiled, target_id))
    if definition.sync:
        _log_bases(compiled, target_id, cap, locked, by_blocks=True)


def _log_target(compiled: Compiled, target_id: int, cap: int, locked: Locked) -> None:
    """Log what the application writes to columns that the mapping decides.

    A transform that reads its target has this from the log of that.
    """
    if compiled.definition.updates_only and any(b.relation.oid == compiled.target.oid for b in compiled.bases):
        return

    def log(on: Connection[Any]) -> None:
        log_id = changelog.ensure(
            on,
            compiled.target,
            compiled.key,
            watched=compiled.outputs,
            writer=str(target_id),
            every_update=False,
            cap=cap,
        )
        _reads(on, target_id, log_id)

    locked(compiled.target, log)


def _log_bases(compiled: Compiled, target_id: int, cap: int, locked: Locked, *, by_blocks: bool) -> None:
    """Install the logs of the base relations, one strong lock a transaction.

    :param by_blocks: whether block ranges are open. Then the driving relation logs every update: a row that moves
        from a page that is still to be read to one that is done would be missed otherwise.
    """
    updates_only, target = compiled.definition.updates_only, compiled.target
    for base in compiled.bases:
        driving = by_blocks and base.relation.oid == compiled.driving_relation.oid
        # A transform of a table that it reads once has just read what it writes: no need to tell it.
        itself = updates_only and base.relation.oid == target.oid
        watched = (*base.columns, *compiled.outputs) if itself else base.columns
        writer = str(target_id) if itself and len(base.occurrences) == 1 else ""

        def log(
            on: Connection[Any],
            base: Base = base,
            watched: tuple[Column, ...] = watched,
            driving: bool = driving,
            writer: str = writer,
        ) -> None:
            log_id = changelog.ensure(
                on,
                base.relation,
                base.columns,
                watched=watched,
                writer=writer,
                every_update=driving,
                cap=cap,
            )
            _reads(on, target_id, log_id)

        locked(base.relation, log)


def _reads(conn: Connection[Any], target_id: int, log_id: int) -> None:
    """Have a target's appliers read a log."""
    made = conn.execute(
        "INSERT INTO lockgate.log_readers (target_id, log_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (target_id, log_id),
    ).rowcount
    if made:
        # An applier that was loaded before does not read this log yet, nor watch its relation.
        conn.execute(
            "UPDATE lockgate.sync_targets SET epoch = epoch + 1, fingerprint = NULL WHERE id = %s", (target_id,)
        )


def _keep_own_rows(conn: Connection[Any], compiled: Compiled, target_id: int) -> None:
    """What the target holds before anything of ours was written to it was born in the new model; from now on, follow.

    Those that the mapping yields as well are found when a chunk meets them. Done once in the target's life: for a
    second mapping, or after a kill, the table holds rows that were made here.
    """
    first = conn.execute(
        "UPDATE lockgate.sync_targets SET own_rows_kept = true, epoch = epoch + 1, "
        "state = CASE WHEN %s THEN 'backfill' ELSE state END WHERE id = %s AND NOT own_rows_kept",
        (compiled.definition.sync, target_id),
    ).rowcount
    if not first:
        return
    key = names(compiled.key)
    conn.execute(
        f"INSERT INTO lockgate.born_{target_id} ({key}) SELECT {key} FROM {compiled.target.sql} "
        f"ON CONFLICT ({key}) DO NOTHING".encode()
    )


def log_all(compiled: Sequence[Compiled], target_id: int, cap: int, locked: Locked) -> None:
    """Install the logs of a target that is not filled by chunks."""
    for mapping in compiled:
        _log_target(mapping, target_id, cap, locked)
        _log_bases(mapping, target_id, cap, locked, by_blocks=False)


def follow(conn: Connection[Any], loaded: Group, cap: int) -> None:
    """Log what a target that is at work reads and what is not logged: another table of the name, or a new column.

    What was written there before is in no log, so that everything must be compared.

    :raises psycopg.Error: also when a lock is not had at once; to be tried again.
    """

    def locked(_: Relation, work: Callable[[Connection[Any]], None]) -> None:
        with conn.transaction():
            work(conn)

    log_all(loaded.compiled, loaded.target_id, cap, locked)
    conn.execute(
        "UPDATE lockgate.sync_targets SET repair = true, unseen = unseen OR %s, reason = coalesce(reason, %s) "
        "WHERE id = %s",
        (loaded.writes_unlogged, "a table of it was not logged, or not all of it", loaded.target_id),
    )


def go_live(conn: Connection[Any], target_id: int) -> None:
    """The backfill is done: no chunk is open, so keys need no second look any more."""
    conn.execute("UPDATE lockgate.sync_targets SET state = 'live' WHERE id = %s AND state = 'backfill'", (target_id,))


def redefine(conn: Connection[Any], plan: str, target_id: int, definition: Definition) -> None:
    """The tables of a mapping have other names from the open transaction on, and are the same.

    Its target must be fed by this mapping alone; its appliers start anew.
    """
    conn.execute(
        "UPDATE lockgate.mappings SET definition = %s WHERE plan = %s AND name = %s AND target_id = %s",
        (Jsonb(definition.dump()), plan, definition.name, target_id),
    )
    conn.execute(
        "UPDATE lockgate.sync_targets SET name = %s, epoch = epoch + 1, fingerprint = NULL WHERE id = %s",
        (group.target_name(definition), target_id),
    )


def stored_definition(conn: Connection[Any], plan: str, name: str) -> Definition | None:
    """What the ledger holds of a mapping."""
    from lockgate.mapping.definition import load

    row = conn.execute(
        "SELECT definition FROM lockgate.mappings WHERE plan = %s AND name = %s", (plan, name)
    ).fetchone()
    return load(row[0]) if row else None


def target_of(conn: Connection[Any], plan: str, name: str) -> int | None:
    """The target that a mapping feeds."""
    row = conn.execute("SELECT target_id FROM lockgate.mappings WHERE plan = %s AND name = %s", (plan, name)).fetchone()
    return int(row[0]) if row else None
