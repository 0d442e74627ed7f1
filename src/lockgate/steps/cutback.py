"""Taking a cutover back: the mirror of it, and then what it has left is cleared away."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, errors

from lockgate.catalog.relations import Relation
from lockgate.cutover import closing, draining, record, scope, targets, wayback
from lockgate.cutover.closing import Fence
from lockgate.cutover.record import Cutover
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.settling import settle
from lockgate.errors import Interrupted
from lockgate.mapping import group
from lockgate.plan.models import CutoverStep
from lockgate.script.running import strong_lock
from lockgate.steps.base import StepResult, place
from lockgate.steps.holding import await_last, drain, drop_logs, hold_writers, log_all, sequences, set_sequences, switch

_HINT = "Look again which model is the one, and write that."
# Seconds for which the triggers stay against transactions that were open when the old model became the one again.
_STRAGGLING = 60.0


def take_back(ctx: StepContext, lose_rows: bool) -> StepResult:
    """Make the old model the one again; may be called again after a kill.

    :raises RollbackRefused: if the old model lacks rows, and nobody said that they may be lost.
    """
    with ctx.sessions.open("cutover") as conn:
        found = record.find(conn, ctx.plan, ctx.step_id)
        if found is None:
            return StepResult("nothing was cut over")
        if found.state == "over":
            _switch_back(ctx, conn, found, lose_rows)
            fault("cutback.over")
            found = record.find(conn, ctx.plan, ctx.step_id)
            assert found is not None  # it is forgotten below
        was_over = found.state == "taken_back"
        _clear(ctx, conn, found)
        if was_over:
            for target in found.targets:
                settle(ctx.sessions, target, ctx.clock, ctx.stop, _at(ctx), ctx.progress)
        fault("cutback.settled")
        with ctx.fenced(conn):
            record.forget(conn, found.id)
    return StepResult("the old model is the one again" if was_over else "nothing was cut over yet")


def _switch_back(ctx: StepContext, conn: Connection[Any], found: Cutover, lose_rows: bool) -> None:
    step: CutoverStep = ctx.step
    open_ = targets.states(conn, found.back) == {"live"}
    new = scope.tables_of(conn, found.targets)
    # From the moment on in which the old model is the one, the new one must follow it.
    log_all(ctx, conn, found.targets)
    # Understood before anybody is held up.
    numbered = [each for target in found.back for each in sequences(conn, group.load(conn, target))]
    logged = [int(log.writer) for log in wayback.still_logged(conn, found)]

    def attempt(on: Connection[Any]) -> None:
        since = draining.now(conn)
        if open_ and not lose_rows:
            drain(ctx, conn, found.back)
        elif not lose_rows:
            hint = "Save them first, or say that they may be lost: `lockgate rollback --lose-rows`."
            scope.refuse_losses(conn, found.targets, _at(ctx), hint)
        begun = ctx.clock.monotonic()
        with ctx.fenced(on):
            known = record.find(on, ctx.plan, ctx.step_id)
            if known is None or known.state != "over":
                return  # the answer to the COMMIT was lost
            hold_writers(ctx, on, new, begun)
            fault("cutback.locked")
            if open_:
                await_last(ctx, conn, found.back, begun, lose_rows=lose_rows)
            elif not lose_rows and wayback.written_since(conn, found.targets, since):
                raise errors.LockNotAvailable("the application has written since that was counted")
            if step.switch_back is not None:
                switch(ctx, on, step.switch_back, "switch_back", begun)
            set_sequences(on, numbered)
            closing.open_again(on, closing.of_old(found.id))
            closing.refuse_all(on, closing.of_new(found.id), new, found.targets, _HINT)
            targets.take_over(on, found.targets, logged)
            targets.close(on, found.back)
            record.taken_back(on, found.id)
            fault("cutback.commit")

    strong_lock(ctx, _at(ctx), [table.sql for table in new]).do(attempt)
    ctx.progress.event("the old model is the one again")


def _clear(ctx: StepContext, conn: Connection[Any], found: Cutover) -> None:
    """Remove the way back, and the triggers of both models."""
    drop_logs(ctx, conn, found.back)
    for target in found.back:
        with ctx.fenced(conn):
            wayback.forget(conn, target)
        fault("cutback.forgotten")
    stale = closing.of_new(found.id)
    if new := closing.guarded(conn, stale):
        with ctx.fenced(conn):
            closing.refuse_stale(conn, stale, new, found.targets, _HINT)
        _await_stragglers(ctx, conn)
    _remove(ctx, conn, stale)
    _remove(ctx, conn, closing.of_old(found.id))


def _await_stragglers(ctx: StepContext, conn: Connection[Any]) -> None:
    """Wait until nobody is left who has looked which model is the one before it changed; for a while."""
    left = closing.stragglers(conn)
    end = ctx.clock.monotonic() + _STRAGGLING
    while closing.any_left(conn, left) and ctx.clock.monotonic() < end:
        if ctx.clock.wait(ctx.stop, 0.1):
            raise Interrupted("Stopped while transactions of before ended", where=_at(ctx))


def _remove(ctx: StepContext, conn: Connection[Any], fence: Fence) -> None:
    for table in closing.guarded(conn, fence):

        def attempt(on: Connection[Any], table: Relation = table) -> None:
            with ctx.fenced(on):
                closing.remove(on, fence, table)

        strong_lock(ctx, _at(ctx), (table.sql,)).do(attempt)
        fault("cutback.trigger")
    with ctx.fenced(conn):
        closing.forget(conn, fence)


def _at(ctx: StepContext) -> str:
    return place(ctx.loaded, ctx.phase, ctx.step)
