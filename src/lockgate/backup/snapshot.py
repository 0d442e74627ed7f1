"""The snapshot that a backup is of: of the database itself, or of a standby that has its state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from lockgate import sqlfiles
from lockgate.engine.address import describe
from lockgate.engine.clock import Clock
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError

_CATCHES_UP_WITHIN = 60.0
_LOOKS_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A transaction that sees the database as it is.

    :param name: under which others share what it sees.
    :param at: the time of the database whose state it has.
    :param dsn: where it is.
    :param standby: the same in words if that is a standby; None for the database itself.
    """

    conn: Connection[Any]
    name: str
    at: datetime
    dsn: str
    standby: str | None


@contextmanager
def taken(sessions: Sessions, standby: Sessions | None = None) -> Iterator[Snapshot]:
    """A snapshot until the end of the block.

    That of a standby is no older than the moment at which it was asked for, as the database tells the time: whoever
    asks how old the backup is may rely on that, however late the standby is.

    :raises LockgateError: if the standby is none of this database, or does not catch up.
    """
    if standby is None:
        with sessions.open("backup") as conn, _held(conn) as name:
            yield Snapshot(conn, name, sessions.clock.of(conn), sessions.dsn, None)
        return
    with sessions.open("backup") as primary, standby.open("backup") as conn:
        refuse_another(primary, conn, standby.dsn)
        at = sessions.clock.of(primary)
        _catch_up(primary, conn, sessions.clock, standby.dsn)
        primary.close()
        with _held(conn) as name:
            yield Snapshot(conn, name, at, standby.dsn, describe(standby.dsn))


@contextmanager
def _held(conn: Connection[Any]) -> Iterator[str]:
    # pg_dump may need longer than the hashes; the snapshot's transaction is idle then.
    conn.execute("SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false)")
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    with conn.transaction():
        row = conn.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        assert row is not None
        yield str(row[0])


def refuse_another(primary: Connection[Any], standby: Connection[Any], dsn: str) -> None:
    """:raises LockgateError: if the second one is no standby of the first one."""
    where = describe(dsn)
    hint = "Name a standby of the database with --from, or leave it out."
    try:
        here, there = _identity(primary), _identity(standby)
    except psycopg.errors.InsufficientPrivilege as error:
        raise LockgateError(
            "Whether this is a standby of the database cannot be told",
            where=where,
            why=error.diag.message_primary,
            hint="GRANT EXECUTE ON FUNCTION pg_control_system() to the role on the database, or leave out --from.",
        ) from error
    if here[:2] != there[:2]:
        why = "Its system identifier, or the number of its database, is another one."
        raise LockgateError("This is no standby of the database", where=where, why=why, hint=hint)
    if not there[2]:
        why = "It does not recover: it is the database itself, or a standby that was promoted."
        raise LockgateError("This is no standby", where=where, why=why, hint=hint)


def _identity(conn: Connection[Any]) -> tuple[Any, ...]:
    row = conn.execute(sqlfiles.load("lockgate.backup", "standby.identity")).fetchone()
    assert row is not None
    return tuple(row)


def _catch_up(primary: Connection[Any], standby: Connection[Any], clock: Clock, dsn: str) -> None:
    row = primary.execute("SELECT pg_catalog.pg_current_wal_lsn()").fetchone()
    assert row is not None
    behind: int | None = None
    until = clock.monotonic() + _CATCHES_UP_WITHIN
    while behind is None or behind > 0:
        found = standby.execute(sqlfiles.load("lockgate.backup", "standby.behind"), {"lsn": row[0]}).fetchone()
        assert found is not None
        behind = found[0]
        if behind is None or behind > 0:
            if clock.monotonic() > until:
                raise LockgateError(
                    f"The standby is {behind} bytes behind, and does not catch up",
                    where=describe(dsn),
                    why=f"What the database had written was not replayed there within {_CATCHES_UP_WITHIN:.0f} s.",
                    hint="Look at its replication, name another one with --from, or leave it out.",
                )
            clock.sleep(_LOOKS_EVERY)
