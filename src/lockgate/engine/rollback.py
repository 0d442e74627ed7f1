"""Taking phases back: the derived undo of each step, then the phase's own SQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, errors

from lockgate.engine import losing, phases, pins, sqlerrors, undoing
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress, StepContext
from lockgate.engine.faults import fault
from lockgate.engine.job import Job
from lockgate.engine.phase_run import step_context
from lockgate.engine.phases import PhaseState
from lockgate.engine.retry import lost_connection
from lockgate.engine.run import RunResult, run
from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError
from lockgate.ledger import chain, lease, steps
from lockgate.plan.models import CloseStep, CutoverStep, Phase, SqlStep
from lockgate.steps import REGISTRY

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_NOT_THERE = (
    errors.UndefinedObject,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
)


def rollback(
    loaded: LoadedPlan,
    sessions: Sessions,
    *,
    to: str | None = None,
    lose_rows: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> RunResult:
    """Take back the phases after ``to``, the last one first; without ``to`` only the last one that began.

    A rollback that was killed goes on when it is called again.

    :param to: the phase that stays, or ``undoing.BEGINNING``.
    :param lose_rows: whether rows may be lost.
    :raises RollbackRefused: before anything is done, if a phase dropped tables, has tables under legal hold or has no
        undo, or rows would be lost.
    """

    def work(job: Job) -> Iterator[str]:
        wanted = job.ledger(lambda conn: undoing.to_undo(loaded, phases.states(conn, job.plan), to))
        with job.sessions.open("rollback", plan_sql=True) as conn:
            undoing.refuse_dropped(conn, loaded, wanted)
            undoing.refuse_held(conn, loaded, wanted)
            undoing.refuse_without_undo(conn, loaded, wanted)
            accepted = lose_rows or any(
                phases.state(conn, job.plan, phase.id) is PhaseState.UNDOING
                and undoing.accepted(conn, job.plan, phase.id)
                for phase in wanted
            )
        prospect = losing.foresee(job.sessions, loaded, wanted)
        if not accepted:
            prospect.refuse()
        facts: dict[str, Any] = {
            "lose_rows": accepted,
            "losses": [[loss.table, loss.rows, loss.why] for loss in prospect.losses],
        }
        if prospect.unknown:
            facts["unknown"] = prospect.unknown
        for number, phase in enumerate(wanted):
            _undo_phase(job, phase, wanted[number:], accepted, facts)
            yield phase.id

    return run(loaded, sessions, "rollback", work, progress=progress, clock=clock, stop=stop)


def _undo_phase(job: Job, phase: Phase, left: Sequence[Phase], lose_rows: bool, facts: dict[str, Any]) -> None:
    """:param left: this phase and those that are taken back after it."""
    job.goes_on(job.place(phase))
    # Asked before anything is taken back: afterwards the answer would be another one.
    with job.sessions.open("rollback", plan_sql=True) as conn:
        by_sql = undoing.needs_sql(conn, job.loaded, phase)
    job.progress.event(f"phase {phase.id}: is taken back")
    _move(job, phase, PhaseState.UNDOING, facts)
    try:
        for number, row in job.ledger(lambda conn: undoing.begun_steps(conn, job.loaded, phase)):
            ctx = step_context(job, phase, phase.steps[number], row)
            if not isinstance(ctx.step, SqlStep):
                _undo_step(job, ctx, lose_rows)
                if isinstance(ctx.step, CutoverStep | CloseStep) and not lose_rows:
                    # Only now it can be told what is lost of the tables that the application owned.
                    with job.sessions.open("rollback", plan_sql=True) as conn:
                        losing.look(conn, job.loaded, left).refuse()
        if by_sql:
            for number, step in enumerate(phase.undo or ()):
                _undo_sql(job, phase, number, step)
    except psycopg.Error as error:
        if lost_connection(error):
            raise
        raise sqlerrors.explain(error, job.place(phase)) from error
    job.ledger(lambda conn: _undone(job, conn, phase))
    fault("phase.undone")
    job.progress.event(f"phase {phase.id}: taken back")


def _undo_step(job: Job, ctx: StepContext, lose_rows: bool) -> None:
    job.goes_on(job.place(ctx.phase))
    result = REGISTRY[type(ctx.step)].undo(ctx, lose_rows)
    fault("undo.step")

    def record(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            if steps.get(conn, ctx.step_row.id).state == "undone":
                return
            steps.set_state(conn, ctx.step_row.id, "undone")
            chain.append(
                conn,
                kind="undo",
                plan=job.plan,
                phase=ctx.phase.id,
                step=ctx.step_id,
                payload={"summary": result.summary, "facts": dict(result.facts)},
                run_id=job.run_id,
            )

    job.ledger(record)
    fault("undo.recorded")
    job.progress.event(f"step {ctx.phase.id}/{ctx.step_id}: {result.summary}")


def _undo_sql(job: Job, phase: Phase, number: int, step: SqlStep) -> None:
    """Run a piece of the phase's undo as a step of its own name, so that it is done once."""
    job.goes_on(job.place(phase, "undo", number))

    def begin(conn: Connection[Any]) -> Any:
        with conn.transaction():
            lease.assert_held(conn, job.epoch)
            row = steps.get_or_create(conn, job.plan, phase.id, f"{pins.UNDO}{number + 1}", "sql")
            if row.state == "done":
                return row
            fresh: dict[str, Any] = {"done": None, "current": None} if row.state in {"pending", "undone"} else {}
            position = 0 if row.state == "undone" else None
            return steps.set_state(conn, row.id, "running", position=position, detail=fresh)

    row = job.ledger(begin)
    if row.state != "done":
        try:
            REGISTRY[SqlStep].run(step_context(job, phase, step, row))
        except DatabaseError as error:
            if isinstance(error.__cause__, _NOT_THERE):
                error.hint = "The phase may have been interrupted before it made this: write IF EXISTS into its undo."
            raise
        fault("undo.sql")


def _undone(job: Job, conn: Connection[Any], phase: Phase) -> None:
    with conn.transaction():
        lease.assert_held(conn, job.epoch)
        for row in steps.of_plan(conn, job.plan):
            if row.phase == phase.id and row.state not in {"pending", "undone"}:
                steps.set_state(conn, row.id, "undone", position=0)
        phases.move(conn, plan=job.plan, phase=phase.id, to=PhaseState.UNDONE, epoch=job.epoch, run_id=job.run_id)


def _move(job: Job, phase: Phase, to: PhaseState, facts: dict[str, Any]) -> None:
    job.ledger(
        lambda conn: phases.move(
            conn, plan=job.plan, phase=phase.id, to=to, epoch=job.epoch, run_id=job.run_id, facts=facts
        )
    )
