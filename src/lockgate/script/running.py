"""Running statements: where an error is, and how locks are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.context import Working
from lockgate.engine.retry import Policy, lost_conflict, passing, retrying
from lockgate.engine.strong import Seat, StrongLock
from lockgate.script.located import Located

T = TypeVar("T")

_PATIENCE = Policy(retries=100, base=0.05, cap=1.0)


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


def patiently(ctx: Working, conn: Connection[Any], work: Callable[[], T]) -> T:
    """Do ``work`` in a fenced transaction, again after a lost conflict: an applier may hold the target's row."""

    def attempt() -> T:
        with ctx.fenced(conn):
            return work()

    return retrying(attempt, policy=_PATIENCE, clock=ctx.clock, may_retry=lost_conflict)
