"""Sessions of a killed run that the server may still be working for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.errors import LockNotAcquired

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Backend:
    """A server process.

    :param since: when it began, as the server writes it: process numbers come again.
    """

    pid: int
    since: str


def me(conn: Connection[Any]) -> Backend:
    """The process behind a connection."""
    row = conn.execute("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()
    assert row is not None
    return Backend(*row)


def end(conn: Connection[Any], backend: Backend, clock: Clock, progress: Progress) -> None:
    """End what the server still does for a session of a former run, and wait until it is gone.

    :raises LockNotAcquired: if it does not go.
    """
    me_pid = conn.info.backend_pid
    deadline = clock.monotonic() + _PATIENCE
    told = False
    while backend.pid != me_pid:
        gone = conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start::text = %s",
            (backend.pid, backend.since),
        ).fetchone()
        if gone is None:
            return
        if not told:
            progress.event(f"process {backend.pid} still works for a former run; it is ended first")
            told = True
        if clock.monotonic() > deadline:
            raise LockNotAcquired(
                f"Process {backend.pid} of a former run does not end",
                why="The server is still busy with its statement.",
                hint=f"Look at pg_stat_activity for process {backend.pid}, then run `lockgate apply` again.",
            )
        clock.wait(threading.Event(), 0.05)
