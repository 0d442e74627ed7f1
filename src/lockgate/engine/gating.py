"""The gates before a phase: all are asked, all answers are kept, and the first refusal by rank decides."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.catalog.document import Document
from lockgate.engine import approval, recording
from lockgate.engine.job import Job
from lockgate.errors import AwaitingApproval, AwaitingTime, GateRefused, LockgateError, PlanChanged
from lockgate.gates import REGISTRY
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.ledger import chain, lease, store
from lockgate.plan.models import ApprovalGate, Phase

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_ERRORS: dict[Refusal, type[LockgateError]] = {
    Refusal.CHANGED: PlanChanged,
    Refusal.REFUSED: GateRefused,
    Refusal.APPROVAL: AwaitingApproval,
    Refusal.TIME: AwaitingTime,
}


def look(loaded: LoadedPlan, phase: Phase, sessions: Sessions, clock: Clock) -> list[GateResult]:
    """What each gate of a phase says now; changes nothing.

    :raises LockgateError: if a gate cannot be asked.
    """
    i = loaded.plan.phases.index(phase)
    with sessions.open("gates", plan_sql=True, read_only=True) as conn:
        ledger = store.version(conn) is not None

        @cache
        def schema() -> Document:
            return approval.present_schema(conn)

        return [
            REGISTRY[type(gate)].evaluate(
                GateContext(
                    conn=conn,
                    loaded=loaded,
                    phase=phase,
                    gate=gate,
                    where=loaded.where("phases", i, "before", j),
                    clock=clock,
                    ledger=ledger,
                    schema=schema,
                )
            )
            for j, gate in enumerate(phase.gates)
        ]


def pass_gates(job: Job, phase: Phase) -> None:
    """Go through the gates of a phase that begins, and record what they said.

    :raises PlanChanged, GateRefused, AwaitingApproval, AwaitingTime: if one does not open.
    """
    results = look(job.loaded, phase, job.sessions, job.clock)
    for result in results:
        job.progress.event(f"gate of {phase.id}: {result.what}")

    def record(conn: Connection[Any]) -> None:
        with conn.transaction():
            lease.assert_held(conn, job.epoch)
            for number, (gate, result) in enumerate(zip(phase.gates, results, strict=True)):
                recording.evidence(conn, job.plan, phase.id, None, result.evidence, run_id=job.run_id)
                payload = {
                    "gate": number + 1,
                    "asks": REGISTRY[type(gate)].describe(gate),
                    "what": result.what,
                    "passed": result.passed,
                    "refusal": result.refusal.name.lower() if result.refusal else None,
                    "ready_at": result.ready_at,
                }
                chain.append(conn, kind="gate", plan=job.plan, phase=phase.id, payload=payload, run_id=job.run_id)

    if results:
        job.ledger(record)
    _refuse(job, phase, results)


def approved_as_is(job: Job, phase: Phase) -> None:
    """For a phase that goes on: the plan must still be the one that was approved.

    Its schema is no longer the one that was: the phase itself has begun to change it.

    :raises PlanChanged: if the plan was changed since.
    """
    needed = max((g.approval.by for g in phase.before if isinstance(g, ApprovalGate)), default=0)
    if not needed:
        return
    given = job.ledger(lambda conn: approval.given(conn, job.plan, phase.id))
    if len([g for g in given if g.digest == job.loaded.digest]) < needed:
        raise PlanChanged(
            f"The plan was changed since phase {phase.id} was approved",
            where=job.place(phase),
            hint=f"Look at the change, then approve again with `lockgate approve {phase.id}`.",
        )


def _refuse(job: Job, phase: Phase, results: list[GateResult]) -> None:
    closed = [(number, result) for number, result in enumerate(results) if not result.passed]
    for rank in Refusal:
        for number, result in closed:
            if result.refusal is rank:
                more = "; ".join(other.what for _, other in closed if other is not result)
                raise _ERRORS[rank](
                    f"Phase {phase.id} may not start: {result.what}",
                    where=job.place(phase, "before", number),
                    why=f"Also closed: {more}" if more else None,
                    hint=result.hint,
                )
