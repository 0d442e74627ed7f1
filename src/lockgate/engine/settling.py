"""Waiting until a target holds what its mappings yield: nothing to look at again, and one batch after that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.engine import locks
from lockgate.engine.clock import Clock
from lockgate.engine.retry import passing
from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError, Interrupted, LeaseLost
from lockgate.mapping import group, upkeep
from lockgate.mapping.applier import Applier

if TYPE_CHECKING:
    from lockgate.engine.context import Progress

_POLL = 0.05
# Seconds after which a person wonders what is waited for, and between two looks at it. By then the service has begun,
# and what an earlier run met is no trouble any more.
_PATIENCE = 2.0


def settle(
    sessions: Sessions, target_id: int, clock: Clock, stop: threading.Event, where: str, progress: Progress
) -> None:
    """Wait until no key of a target waits for a second look.

    The service of the same process does the work; a target without sync has none, so it is done here. A key waits
    for every transaction that was open when it was noted, also in another database of the server: that is told.

    :raises Interrupted: when told to stop.
    :raises DatabaseError: if its changes cannot be applied.
    """
    with sessions.open("settle") as conn, _telling(conn, clock, progress) as tell:

        def pause() -> None:
            if tell():
                refuse_trouble(conn, target_id, where)
            if clock.wait(stop, _POLL):
                raise Interrupted("Stopped while the last changes were applied", where=where)

        if _state(conn, target_id) == "unsynced":
            _apply_here(sessions, conn, target_id, pause)
            return
        while _waiting(conn, target_id):
            pause()


@contextmanager
def _telling(conn: Connection[Any], clock: Clock, progress: Progress) -> Iterator[Callable[[], bool]]:
    """Gives what to call again and again while waiting: it tells whom it takes so long for, and whether it looked."""
    due = clock.monotonic() + _PATIENCE
    told = ""

    def tell() -> bool:
        nonlocal due, told
        if clock.monotonic() < due:
            return False
        due = clock.monotonic() + _PATIENCE
        found = locks.holding_back(conn)
        reason = f"waits for an older transaction: {found}" if found else ""
        if reason or told:
            progress.waiting(reason, found.release if found else "")
        told = reason
        return True

    try:
        yield tell
    finally:
        if told:
            progress.waiting("", "")


def _state(conn: Connection[Any], target_id: int) -> str | None:
    row = conn.execute("SELECT state FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    return str(row[0]) if row else None


def refuse_trouble(conn: Connection[Any], target_id: int, where: str) -> None:
    """:raises DatabaseError: if the service cannot apply; what is waited for would not come."""
    row = conn.execute(
        "SELECT name, trouble FROM lockgate.sync_targets WHERE id = %s AND trouble IS NOT NULL", (target_id,)
    ).fetchone()
    if row:
        raise DatabaseError(
            f"The changes of {row[0]} cannot be applied",
            where=where,
            why=row[1],
            hint="Mend what it says; then run the command again.",
        )


def _waiting(conn: Connection[Any], target_id: int) -> bool:
    row = conn.execute(
        f"SELECT EXISTS (SELECT FROM lockgate.recheck_{target_id}) "
        "OR EXISTS (SELECT FROM lockgate.backlog WHERE target_id = %s) "
        "OR EXISTS (SELECT FROM lockgate.sync_targets WHERE id = %s AND repair)".encode(),
        (target_id, target_id),
    ).fetchone()
    return bool(row and row[0])


def _apply_here(sessions: Sessions, conn: Connection[Any], target_id: int, pause: Callable[[], None]) -> None:
    row = conn.execute(
        "UPDATE lockgate.sync_targets SET epoch = epoch + 1 WHERE id = %s RETURNING epoch", (target_id,)
    ).fetchone()
    assert row is not None
    with sessions.open("applier") as own:
        applier = Applier(own, group.load(own, target_id), int(row[0]))
        while True:
            try:
                batch = applier.run()
            except LeaseLost:
                raise
            except psycopg.Error as error:
                if not passing(error):
                    raise
                pause()
                continue
            if batch.repair:
                upkeep.repair(own, applier.group)
            elif not _waiting(conn, target_id):
                return
            elif not batch.pending:
                pause()
