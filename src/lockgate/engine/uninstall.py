"""Taking Lockgate out of a database: its triggers one table at a time, then its schema."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lockgate.archive import tables
from lockgate.cutover import record
from lockgate.deduping.places import holding_rows
from lockgate.engine import queries
from lockgate.engine.context import Progress, Silent
from lockgate.engine.faults import fault
from lockgate.engine.leasing import holding
from lockgate.engine.retry import Policy
from lockgate.engine.strong import StrongLock
from lockgate.errors import LockgateError
from lockgate.ledger import dropped, store
from lockgate.mapping import removal

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken out.

    :param ledger: False where there was none.
    :param triggers: ``schema.table.trigger`` of each trigger that was dropped from the application's tables.
    """

    ledger: bool
    triggers: tuple[str, ...] = ()


def uninstall(
    sessions: Sessions,
    *,
    force: bool = False,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Removed:
    """Remove schema ``lockgate`` and the triggers that it put on other tables; their rows stay.

    May be called again after a kill.

    :param force: also while mappings keep tables in step, which no longer follow then, tables are closed or archived,
        which can be written again then, or were dropped, of which the ledger has the only log, or rows were removed.
    :raises LockgateError: without ``force``, if sync is live, or tables are closed or archived or were dropped.
    :raises LeaseHeld: while a runner is at work.
    :raises LockNotAcquired: if somebody holds one of the tables.
    """
    progress = progress or Silent()
    stop = stop or threading.Event()
    with sessions.open("uninstall") as conn:
        if store.version(conn) is None:
            return Removed(False)
        if not force:
            store.require(conn)
            _refuse_live(conn)
    with holding(sessions, "uninstall", progress=progress, stop=stop):
        triggers = _drop_triggers(sessions, progress, stop)
    with sessions.open("uninstall") as conn:
        store.uninstall(conn)
    return Removed(True, triggers)


def _drop_triggers(sessions: Sessions, progress: Progress, stop: threading.Event) -> tuple[str, ...]:
    """One strong lock a transaction: dropping the schema at once would hold those of all tables together."""
    with sessions.open("uninstall") as conn:
        triggers = conn.execute(queries.load("our_triggers")).fetchall()
    for schema, table, trigger in triggers:
        on = sql.Identifier(schema, table)
        statement = sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(trigger), on)
        StrongLock(
            sessions=sessions,
            policy=Policy(sessions.settings.lock_retries),
            clock=sessions.clock,
            progress=progress,
            stop=stop,
            purpose="uninstall",
            where=f"table {schema}.{table}",
            relations=(on.as_string(None),),
        ).do(partial(_run, statement))
        fault("uninstall.trigger")
    return tuple(".".join(row) for row in triggers)


def _run(statement: sql.Composed, conn: Connection[Any]) -> None:
    conn.execute(statement)


def _refuse_live(conn: Connection[Any]) -> None:
    live = [name for _, name in removal.live_targets(conn)]
    if live:
        raise LockgateError(
            f"Sync is live: {', '.join(live)}",
            why="Without Lockgate these tables no longer follow the old model.",
            hint="Finish the plan, or take it back with `lockgate rollback`; or say that it may be: --force.",
        )
    if closed := record.closed_tables(conn):
        raise LockgateError(
            f"Tables are closed: {', '.join(closed)}",
            why="Without Lockgate the old model can be written again, and the new one does not follow it.",
            hint="Archive them and drop them, or take the cutover back; or say that it may be: --force.",
        )
    if kept := tables.archived(conn):
        raise LockgateError(
            f"Tables are archived: {', '.join(kept)}",
            why="Without Lockgate they are no longer read-only, and nobody knows how long they must be kept.",
            hint="Put them back with `lockgate rollback`, or keep the ledger; or say that it may go: --force.",
        )
    if removed := holding_rows(conn):
        raise LockgateError(
            f"Rows that were removed are kept in {', '.join(removed)}",
            why="They are nowhere else.",
            hint="Copy them, or put them back with `lockgate rollback`; or say that they may go: --force.",
        )
    if gone := dropped.labels(conn):
        raise LockgateError(
            f"The ledger has the only log of tables that were dropped: {', '.join(gone)}",
            why="What they were, and which backups hold them, stands nowhere else.",
            hint="Keep the ledger; or keep its report, and say that it may go: --force.",
        )
