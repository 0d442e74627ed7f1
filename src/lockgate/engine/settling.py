"""Waiting until a target holds what its mappings yield: nothing to look at again, and one batch after that."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine.clock import Clock
from lockgate.engine.retry import passing
from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError, Interrupted, LeaseLost
from lockgate.mapping import group, upkeep
from lockgate.mapping.applier import Applier

_POLL = 0.05
# What an earlier run met is no trouble of the service that has just begun.
_GRACE = 1.0


def settle(sessions: Sessions, target_id: int, clock: Clock, stop: threading.Event, where: str) -> None:
    """Wait until no key of a target waits for a second look.

    The service of the same process does the work; a target without sync has none, so it is done here.

    :raises Interrupted: when told to stop.
    :raises DatabaseError: if its changes cannot be applied.
    """
    with sessions.open("settle") as conn:
        state = _state(conn, target_id)
        if state == "unsynced":
            _apply_here(sessions, conn, target_id, clock, stop)
            return
        begun = clock.monotonic()
        while _waiting(conn, target_id):
            if clock.monotonic() - begun > _GRACE:
                _refuse_trouble(conn, target_id, where)
            if clock.wait(stop, _POLL):
                raise Interrupted("Stopped while the last changes were applied", where=where)


def _state(conn: Connection[Any], target_id: int) -> str | None:
    row = conn.execute("SELECT state FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    return str(row[0]) if row else None


def _refuse_trouble(conn: Connection[Any], target_id: int, where: str) -> None:
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


def _apply_here(sessions: Sessions, conn: Connection[Any], target_id: int, clock: Clock, stop: threading.Event) -> None:
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
                if not passing(error) or clock.wait(stop, _POLL):
                    raise
                continue
            if batch.repair:
                upkeep.repair(own, applier.group)
            elif not _waiting(conn, target_id):
                return
