"""Holding the other tool's own lock while its files run, so that it does not start beside us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from lockgate.engine.context import Working
from lockgate.engine.locks import Blocker
from lockgate.errors import Interrupted, LockNotAcquired
from lockgate.history.base import Home, Tool
from lockgate.sqlfiles import load

_EVERY = 0.25
_LONGEST = 60.0


@contextmanager
def held(ctx: Working, tool: Tool, home: Home) -> Iterator[None]:
    """Hold the tool's locks, got by asking again and again.

    Never by waiting in the server: who waits there holds a snapshot, and a concurrent index build of the one who has
    the lock would wait for it for ever.

    :raises LockNotAcquired: after a minute, naming who has it.
    :raises Interrupted: when the run is told to stop.
    """
    with ctx.sessions.open("tool lock") as conn:
        for key in tool.locks(conn, home):
            _take(ctx, conn, tool, home, key)
        yield


def _take(ctx: Working, conn: Connection[Any], tool: Tool, home: Home, key: int) -> None:
    deadline = ctx.clock.monotonic() + _LONGEST
    told = False
    while not _tried(conn, key):
        found = _holders(conn, key)
        who = "; ".join(str(each) for each in found) or "somebody whom this role cannot see"
        if ctx.clock.monotonic() > deadline:
            raise LockNotAcquired(
                f"{tool.name} is at work: its lock was not had within {_LONGEST:g} s",
                where=str(home),
                why=f"It is held by {who}.",
                hint="Wait until it has ended; nothing was changed.",
            )
        if not told:
            ctx.progress.waiting(f"waits for {tool.name}, whose lock is held by {who}", "nothing to do while it works")
            told = True
        if ctx.clock.wait(ctx.stop, _EVERY):
            raise Interrupted(f"Stopped while waiting for the lock of {tool.name}", where=str(home))
    if told:
        ctx.progress.waiting("", "")


def _tried(conn: Connection[Any], key: int) -> bool:
    row = conn.execute("SELECT pg_catalog.pg_try_advisory_lock(%s::bigint)", (key,)).fetchone()
    return row is not None and bool(row[0])


def _holders(conn: Connection[Any], key: int) -> Sequence[Blocker]:
    rows = conn.execute(load("lockgate.migrating", "holders"), {"key": key}).fetchall()
    return [Blocker(*row) for row in rows]
