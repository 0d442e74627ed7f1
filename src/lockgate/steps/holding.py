"""Holding up the application's writers for a moment, when all that they have written before has arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection, errors

from lockgate.catalog.relations import Relation
from lockgate.cutover import draining
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import CheckFailed, Interrupted
from lockgate.mapping import changelog, removal
from lockgate.mapping.changelog import ChangeLog
from lockgate.plan.models import CutoverStep
from lockgate.steps.base import place
from lockgate.steps.running import strong_lock

# Seconds between two looks whether the last changes have arrived: while nobody is held up, and while writers are.
_CALM, _POLL = 0.05, 0.01


def drain(ctx: StepContext, conn: Connection[Any], of: Sequence[int]) -> None:
    """Wait until all that is committed now is applied; nobody is held up.

    :raises Interrupted: when told to stop.
    """

    def pause() -> bool:
        if ctx.clock.wait(ctx.stop, _CALM):
            raise Interrupted(
                "Stopped while the last changes were applied", where=place(ctx.loaded, ctx.phase, ctx.step)
            )
        return True

    draining.drained(conn, of, pause)


def patience(ctx: StepContext, begun: float) -> Callable[[], bool]:
    """Waits a moment, while writers are held up; whether they may be for longer."""

    def pause() -> bool:
        ctx.clock.wait(ctx.stop, _POLL)
        return not ctx.stop.is_set() and ctx.clock.monotonic() - begun < _hold(ctx)

    return pause


def hold_writers(ctx: StepContext, conn: Connection[Any], tables: Sequence[Relation], begun: float) -> None:
    """Lock the tables against writers, in this order, in the open transaction.

    :raises errors.LockNotAvailable: if the time is up before all are had.
    """
    longest = ctx.settings.lock_timeout.total_seconds()
    for table in tables:
        left = min(longest, _hold(ctx) - (ctx.clock.monotonic() - begun))
        if left <= 0:
            raise errors.LockNotAvailable("the tables were not had together in time")
        conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (f"{max(1, round(left * 1000))}ms",))
        conn.execute(f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE".encode())
    conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (f"{round(longest * 1000)}ms",))


def refuse_poison(conn: Connection[Any], of: Sequence[int], where: str) -> None:
    """:raises CheckFailed: if a target refuses keys: what they should be would be lost."""
    refused = draining.refused(conn, of)
    if refused:
        raise CheckFailed(
            "Tables refuse rows that they should have",
            where=where,
            why="; ".join(f"{name}: {count} keys" for name, count in refused),
            hint="SELECT key, error FROM lockgate.poison says which and why; mend the data or the mapping.",
        )


def _hold(ctx: StepContext) -> float:
    step: CutoverStep = ctx.step
    return step.hold.total_seconds()


def drop_logs(ctx: StepContext, conn: Connection[Any], of: Sequence[int], keep: Sequence[ChangeLog] = ()) -> None:
    """Drop the logs that only these targets read, each by one strong lock."""
    for log in removal.unread_logs(conn, *of):
        if log in keep:
            continue

        def attempt(on: Connection[Any], log: ChangeLog = log) -> None:
            with ctx.fenced(on):
                changelog.drop(on, log)

        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), (log.label,)).do(attempt)
        fault("cutover.log")
