"""Holding the lease for as long as a run lasts."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.engine.faults import fault
from lockgate.errors import DatabaseError, Interrupted, LeaseHeld, LeaseLost
from lockgate.ledger import lease
from lockgate.ledger.heartbeat import Heartbeat
from lockgate.ledger.lease import Lease, LeaseState

if TYPE_CHECKING:
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions

TTL = timedelta(seconds=15)
_HEARTBEAT = "heartbeat"
_POLL = 0.5


@contextmanager
def holding(
    sessions: Sessions,
    holder: str,
    *,
    progress: Progress,
    stop: threading.Event,
    ttl: timedelta = TTL,
) -> Iterator[Lease]:
    """Take the lease, keep it alive, give it back.

    A lease whose holder was killed is waited for, as long as nobody is heard of; at most its ttl. When the
    lease is lost, ``stop`` is set and every session of ``sessions`` is ended.

    :raises LeaseHeld: if another runner is alive.
    :raises LeaseLost: at the end of the block, if the lease was lost in it.
    """
    with sessions.open("lease") as conn:
        held = _acquire(sessions, conn, holder, ttl=ttl, progress=progress, stop=stop)
    fault("lease.acquired")
    lost: list[LeaseLost] = []

    def on_lost(error: LeaseLost) -> None:
        lost.append(error)
        stop.set()
        sessions.end_all(error)

    try:
        with Heartbeat(lambda: sessions.open(_HEARTBEAT), held, ttl / 3, on_lost):
            yield held
    except BaseException as error:
        # Whatever failed after the loss, failed because of it.
        if lost and not isinstance(error, LeaseLost):
            raise lost[0] from error
        raise
    finally:
        if not lost:
            # With the database away, the lease runs out by itself.
            with contextlib.suppress(psycopg.Error, DatabaseError), sessions.open("lease") as conn:
                lease.release(conn, held)
    if lost:
        raise lost[0]


def _acquire(
    sessions: Sessions,
    conn: Connection[Any],
    holder: str,
    *,
    ttl: timedelta,
    progress: Progress,
    stop: threading.Event,
) -> Lease:
    seen: LeaseState | None = None
    while True:
        try:
            held = lease.acquire(conn, holder, ttl)
        except LeaseHeld:
            now = lease.state(conn)
            dead = _dead(now)
            beating = _beating(conn)
            if dead and not beating and now.live:
                progress.event(f"takes over from {now.holder}, process {now.pid}, which was killed")
                lease.release(conn, _of(now, ttl))
                continue
            heard = seen is not None and (now.epoch, now.heartbeat_at) != (seen.epoch, seen.heartbeat_at)
            if not dead and (heard or (beating and seen is not None)):
                raise
            if seen is None:
                progress.waiting(
                    f"{now.holder or 'another runner'} holds the lease; is it alive?",
                    "nothing to do: a lease whose holder is not heard of runs out within seconds",
                )
            seen = now
        else:
            if seen is not None:
                progress.waiting("", "")
            return held
        if sessions.clock.wait(stop, _POLL):
            raise Interrupted("Stopped while waiting for the lease")


def _dead(state: LeaseState) -> bool:
    """Whether the holder was a process of this machine which is no more."""
    if state.host != socket.gethostname() or state.pid is None:
        return False
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _beating(conn: Connection[Any]) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s)",
        (f"lockgate:{_HEARTBEAT}",),
    ).fetchone()
    return row is not None and bool(row[0])


def _of(state: LeaseState, ttl: timedelta) -> Lease:
    assert state.holder is not None
    assert state.host is not None
    assert state.pid is not None
    assert state.acquired_at is not None
    return Lease(state.holder, state.host, state.pid, state.epoch, ttl, state.acquired_at)
