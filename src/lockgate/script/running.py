"""Running statements: where an error is, and how locks are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.context import Working
from lockgate.engine.retry import Failure, Policy, lost_conflict, passing, retrying
from lockgate.engine.strong import Seat, StrongLock
from lockgate.errors import Interrupted
from lockgate.script.located import Located

T = TypeVar("T")

_PATIENCE = Policy(retries=100, base=0.05, cap=1.0)
_BATCH = "5s"


def counted(number: int) -> str:
    """``1 statement``, ``2 statements``."""
    return f"{number} statement{'' if number == 1 else 's'}"


def execute(conn: Connection[Any], item: Located) -> None:
    """Run one statement.

    :raises LockgateError: with its place, unless trying again may help.
    """
    try:
        conn.execute(item.statement.text.encode())
    except psycopg.Error as error:
        if passing(error):
            raise
        position = error.diag.statement_position
        where = item.at(int(position) - 1) if position else item.where
        raise sqlerrors.explain(error, where, f"{item.name} ... failed") from error


def strong_lock(work: Working, where: str, relations: Sequence[str], seat: Seat | None = None) -> StrongLock:
    """The way in which this run takes strong locks."""
    return StrongLock(
        sessions=work.sessions,
        policy=Policy(work.settings.lock_retries),
        clock=work.clock,
        progress=work.progress,
        stop=work.stop,
        purpose="step",
        where=where,
        relations=relations,
        seat=seat,
    )


def between_batches(ctx: Working, conn: Connection[Any], work: Callable[[], T]) -> T:
    """Do ``work`` patiently that needs nothing but the ledger's rows of targets.

    An applier holds such a row for as long as a batch takes, and begins the next one at once where much is left to do.
    Nobody of the application's stands behind who waits for it, so that one wait may outlast a batch.
    """

    def attempt() -> T:
        conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (_BATCH,))
        return work()

    return patiently(ctx, conn, attempt)


def patiently(ctx: Working, conn: Connection[Any], work: Callable[[], T]) -> T:
    """Do ``work`` in a fenced transaction, again after a lost conflict: an applier may hold the target's row."""

    def attempt() -> T:
        with ctx.fenced(conn):
            return work()

    def stop(attempt: int, error: Failure, pause: float) -> None:
        if ctx.stop.is_set():
            raise Interrupted(
                "Stopped while something else was at work", hint="Run the command again: it goes on there."
            )

    return retrying(attempt, policy=_PATIENCE, clock=ctx.clock, on_retry=stop, may_retry=lost_conflict)
