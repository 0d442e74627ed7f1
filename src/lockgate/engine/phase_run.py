"""One phase: gates, steps, checks, each from where the ledger says that it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import gating, phases, pins, recording, sqlerrors
from lockgate.engine.checking import Spares, make_checks, spare_none
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.job import Job
from lockgate.engine.phases import PhaseState
from lockgate.engine.retry import lost_connection
from lockgate.errors import ConnectionLost, DatabaseError, Interrupted, LeaseLost, LockgateError
from lockgate.ledger import chain, lease, steps
from lockgate.ledger.steps import StepRow
from lockgate.plan.models import Phase, Step
from lockgate.steps import REGISTRY

PassGates = Callable[[Job, Phase], None]


def run_phase(job: Job, phase: Phase, pass_gates: PassGates = gating.pass_gates, spares: Spares = spare_none) -> bool:
    """Bring a phase to its end; False if it was there already.

    :param pass_gates: what asks the gates of a phase that begins, and raises if one does not open.
    :param spares: which checks may fail.
    :raises LockgateError: why it does not get there. A failed step or check leaves the phase failed; the next
        run goes on with what is not done.
    """
    state = job.ledger(lambda conn: phases.state(conn, job.plan, phase.id))
    if state is PhaseState.DONE:
        return False
    if state is PhaseState.UNDOING:
        raise LockgateError(
            f"Phase {phase.id} is being undone",
            where=job.place(phase),
            hint="Finish that first: run `lockgate rollback` again.",
        )
    job.goes_on(job.place(phase))
    if state.begun:
        gating.approved_as_is(job, phase)
    else:
        pass_gates(job, phase)
    fault("gates.passed")
    job.progress.event(f"phase {phase.id}: {'goes on' if state.begun else 'begins'}")
    _move(job, phase, PhaseState.RUNNING)
    try:
        for number, step in enumerate(phase.steps):
            _run_step(job, phase, number, step)
        _move(job, phase, PhaseState.CHECKING)
        make_checks(job, phase, spares)
    except (psycopg.Error, LockgateError) as error:
        raise _given_up(error, job.place(phase), partial(_phase_failed, job, phase)) from error
    _move(job, phase, PhaseState.DONE)
    job.progress.event(f"phase {phase.id}: done")
    return True


def step_context(job: Job, phase: Phase, step: Step, row: StepRow) -> StepContext:
    """What a step of this run is given."""
    return StepContext(
        loaded=job.loaded,
        phase=phase,
        step=step,
        step_id=row.step,
        step_row=row,
        sessions=job.sessions,
        clock=job.clock,
        settings=job.loaded.plan.settings,
        progress=job.progress,
        epoch=job.epoch,
        health=job.governor,
        run_id=job.run_id,
        stop=job.stop,
    )


def kind_of(step: Step) -> str:
    """The kind of a step, as the plan and the ledger write it."""
    return type(step).__name__.removesuffix("Step").lower()


def _run_step(job: Job, phase: Phase, number: int, step: Step) -> None:
    name = job.loaded.step_id(job.loaded.plan.phases.index(phase), number)
    where = job.place(phase, "steps", number)
    job.goes_on(where)
    row = job.ledger(lambda conn: _begin(job, conn, phase, name, step))
    if row.state == "done":
        return
    if not job.governor.permit(job.stop):
        raise Interrupted("Stopped while waiting", where=where, hint="`lockgate apply` goes on from here.")
    job.progress.event(f"step {phase.id}/{name}: begins")
    fault("step.begun")
    ctx = step_context(job, phase, step, row)
    try:
        result = REGISTRY[type(step)].run(ctx)
        job.ledger(lambda conn: _end(ctx, conn, result))
    except (psycopg.Error, LockgateError) as error:
        raise _given_up(error, where, partial(_step_failed, job, ctx)) from error
    fault("step.done")
    job.progress.event(f"step {phase.id}/{name}: {result.summary}")


def _begin(job: Job, conn: Connection[Any], phase: Phase, name: str, step: Step) -> StepRow:
    """The step's row, put to running unless it is done."""
    with conn.transaction():
        lease.assert_held(conn, job.epoch)
        row = steps.get_or_create(conn, job.plan, phase.id, name, kind_of(step))
        if row.state == "done":
            return row
        detail: dict[str, Any] = {"begun_as": row.detail.get("begun_as") or pins.step_digest(step)}
        if row.state in {"pending", "undone"}:
            detail = {"begun_as": pins.step_digest(step), "done": None, "current": None}
        position = 0 if row.state == "undone" else None
        return steps.set_state(conn, row.id, "running", position=position, detail=detail)


def _end(ctx: StepContext, conn: Connection[Any], result: Any) -> None:
    """Mark done a step that did not do so together with its effect."""
    with ctx.fenced(conn):
        if not recording.already_done(ctx, conn):
            recording.finish(ctx, conn, result)


def _move(job: Job, phase: Phase, to: PhaseState) -> None:
    facts = {"digest": pins.phase_digest(phase), "plan_digest": job.loaded.digest}
    job.ledger(
        lambda conn: phases.move(
            conn, plan=job.plan, phase=phase.id, to=to, epoch=job.epoch, run_id=job.run_id, facts=facts
        )
    )


def _given_up(
    error: psycopg.Error | LockgateError, where: str, record: Callable[[LockgateError], None]
) -> LockgateError:
    """The error to raise, written down if it is a failure and the database is there."""
    if isinstance(error, LeaseLost | Interrupted | ConnectionLost):
        return error
    if lost_connection(error):
        return sqlerrors.lost(error, where)
    told = error if isinstance(error, LockgateError) else sqlerrors.explain(error, where)
    # If the database goes away meanwhile, the step is found running by the next run, and resumed.
    with contextlib.suppress(psycopg.Error, DatabaseError):
        record(told)
    return told


def _step_failed(job: Job, ctx: StepContext, error: LockgateError) -> None:
    def record(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            steps.set_state(conn, ctx.step_row.id, "failed")
            chain.append(
                conn,
                kind="step",
                plan=job.plan,
                phase=ctx.phase.id,
                step=ctx.step_id,
                payload={"state": "failed", "kind": ctx.step_row.kind, **_told(error)},
                run_id=job.run_id,
            )

    job.ledger(record)


def _phase_failed(job: Job, phase: Phase, error: LockgateError) -> None:
    def record(conn: Connection[Any]) -> None:
        phases.move(
            conn,
            plan=job.plan,
            phase=phase.id,
            to=PhaseState.FAILED,
            epoch=job.epoch,
            run_id=job.run_id,
            facts=_told(error),
        )

    job.ledger(record)


def _told(error: LockgateError) -> dict[str, Any]:
    return {"error": error.what, "where": error.where, "why": error.why}
