"""The checks after a phase: all are made, and all answers are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from psycopg import Connection

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine import recording
from lockgate.engine.faults import fault
from lockgate.engine.job import Job
from lockgate.errors import CheckFailed
from lockgate.ledger import chain, lease
from lockgate.plan.models import Check, Phase

Spares = Callable[[Phase, int, CheckResult], bool]
"""Whether a check of a phase, by its number, that failed is no reason to stop."""


def spare_none(phase: Phase, number: int, result: CheckResult) -> bool:
    """Each check that fails stops the phase."""
    return False


def make_checks(job: Job, phase: Phase, spares: Spares = spare_none) -> None:
    """Make the checks of a phase and record what they found.

    :param spares: only a rehearsal lets a check fail.
    :raises CheckFailed: if one or more failed; names them all.
    """
    failed: list[tuple[int, CheckResult]] = []
    for number, check in enumerate(phase.checks):
        job.goes_on(job.place(phase, "after", number))
        result = _make(job, phase, number, check)
        job.progress.event(f"check of {phase.id}: {'holds' if result.passed else 'FAILED'}: {result.what}")
        job.ledger(partial(_record, job, phase, number, check, result))
        fault("check.recorded")
        if not result.passed and not spares(phase, number, result):
            failed.append((number, result))
    if failed:
        first, result = failed[0]
        raise CheckFailed(
            f"{len(failed)} of {len(phase.checks)} checks of phase {phase.id} failed",
            where=job.place(phase, "after", first),
            why="; ".join(found.what for _, found in failed),
            hint=result.hint or "Mend the data or the plan; `lockgate apply` makes the checks again.",
        )


def _make(job: Job, phase: Phase, number: int, check: Check) -> CheckResult:
    with job.sessions.open("check", plan_sql=True, read_only=True) as conn:
        return REGISTRY[type(check)].evaluate(
            CheckContext(
                conn=conn,
                sessions=job.sessions,
                loaded=job.loaded,
                check=check,
                where=job.place(phase, "after", number),
                clock=job.clock,
                progress=job.progress,
                stop=job.stop.is_set,
            )
        )


def _record(job: Job, phase: Phase, number: int, check: Check, result: CheckResult, conn: Connection[Any]) -> None:
    with conn.transaction():
        lease.assert_held(conn, job.epoch)
        recording.evidence(conn, job.plan, phase.id, None, result.evidence, run_id=job.run_id)
        payload = {
            "check": number + 1,
            "asks": REGISTRY[type(check)].describe(check),
            "what": result.what,
            "passed": result.passed,
        }
        chain.append(conn, kind="check", plan=job.plan, phase=phase.id, payload=payload, run_id=job.run_id)
