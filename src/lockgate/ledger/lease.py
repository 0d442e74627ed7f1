"""The lease: one runner at a time, and a fencing number for those who lost it without noticing.

Whoever takes the lease raises its epoch. A writing transaction begins with :func:`assert_held`: it locks the
row, so that a takeover comes either before it (then it fails) or after its end (then it was in time). Only
the server's clock says whether a lease has run out; no process compares clocks with another.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import LeaseHeld, LeaseLost
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined, require_open


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was acquired.

    :param epoch: larger than that of every lease before; otherwise without meaning.
    :param ttl: how long it lives after each heartbeat.
    """

    holder: str
    host: str
    pid: int
    epoch: int
    ttl: timedelta
    acquired_at: datetime


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The lease's row as the server sees it now.

    :param holder: None when it is free.
    :param age: since it was acquired.
    :param silent: since the last heartbeat.
    :param remaining: until it runs out; negative when it has, and may be taken over.
    """

    holder: str | None
    host: str | None
    pid: int | None
    epoch: int
    acquired_at: datetime | None
    heartbeat_at: datetime | None
    expires_at: datetime | None
    age: timedelta | None
    silent: timedelta | None
    remaining: timedelta | None

    @property
    def live(self) -> bool:
        """Somebody holds it and it has not run out."""
        return self.holder is not None and self.remaining is not None and self.remaining > timedelta()


def state(conn: Connection[Any]) -> LeaseState:
    """Who holds the lease."""
    row = conn.cursor(row_factory=class_row(LeaseState)).execute(load("lease.state")).fetchone()
    assert row is not None
    return row


def acquire(conn: Connection[Any], holder: str, ttl: timedelta) -> Lease:
    """Take the lease when it is free or has run out; never waits.

    :param holder: who, for people: such as ``apply of party-model by ana``.
    :raises LeaseHeld: when somebody else has it, or still has a transaction open under it.
    """
    me = {"holder": holder, "host": socket.gethostname(), "pid": os.getpid(), "ttl": ttl}
    with joined(conn):
        if conn.execute(load("lease.lock_free")).fetchone() is None:
            raise _held(state(conn))
        row = conn.execute(load("lease.take"), me).fetchone()
    assert row is not None
    epoch, acquired_at = row
    return Lease(holder, socket.gethostname(), os.getpid(), epoch, ttl, acquired_at)


def heartbeat(conn: Connection[Any], lease: Lease) -> None:
    """Let the lease live for its ttl from now on. One that ran out and that nobody took lives again.

    :raises LeaseLost: when somebody took it over, or it was released.
    """
    if conn.execute(load("lease.heartbeat"), {"epoch": lease.epoch, "ttl": lease.ttl}).rowcount != 1:
        raise _lost(state(conn), lease.epoch)


def release(conn: Connection[Any], lease: Lease) -> None:
    """Give the lease back; does nothing when somebody took it over."""
    conn.execute(load("lease.release"), {"epoch": lease.epoch})


def assert_held(conn: Connection[Any], epoch: int) -> None:
    """Fence the open transaction of ``conn``: until it ends, nobody can take the lease over.

    The lock is FOR KEY SHARE, which a takeover waits for (epoch is a key column) and a heartbeat does not.
    In a REPEATABLE READ transaction whose snapshot is older than a takeover, the server raises a
    serialization failure instead.

    :raises LeaseLost: when somebody took it over, or it was released.
    :raises RuntimeError: outside a transaction.
    """
    require_open(conn, "Asserting the lease")
    if conn.execute(load("lease.assert_held"), {"epoch": epoch}).fetchone() is None:
        raise _lost(state(conn), epoch)


def _held(found: LeaseState) -> LeaseHeld:
    if found.holder is None:
        return LeaseHeld(
            "The lease is free, but locked at this moment",
            where="lockgate.lease",
            why="Another runner is taking it, or a transaction of the last one is still open.",
            hint="Try again; `lockgate status` shows who has it.",
        )
    who = f"{found.holder} on {found.host}, process {found.pid}"
    age = f"for {_span(found.age)}, last heard of {_span(found.silent)} ago"
    if found.live:
        return LeaseHeld(
            f"Another runner holds the lease: {who}, {age}",
            where="lockgate.lease",
            why="Only one runner may change the database at a time.",
            hint=f"Wait for it or stop it there; `lockgate work` helps it. If it is dead, its lease runs out "
            f"in {_span(found.remaining)}.",
        )
    return LeaseHeld(
        f"The lease has run out, but a transaction under it is still open: {who}, {age}",
        where="lockgate.lease",
        why="The runner hangs, or the server has not noticed yet that it is gone.",
        hint="Try again in a moment, or end its sessions: SELECT pg_terminate_backend(pid) FROM "
        "pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'lockgate:%'.",
    )


def _lost(found: LeaseState, epoch: int) -> LeaseLost:
    if found.holder is None:
        why = "It was released."
    else:
        why = f"{found.holder} on {found.host}, process {found.pid}, took it over {_span(found.age)} ago."
    return LeaseLost(
        "This runner no longer holds the lease, so its work was not committed",
        where=f"lockgate.lease, epoch {epoch}",
        why=why,
        hint="`lockgate status` shows who works; start again when that run has ended.",
    )


def _span(length: timedelta | None) -> str:
    seconds = 0.0 if length is None else max(0.0, length.total_seconds())
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
