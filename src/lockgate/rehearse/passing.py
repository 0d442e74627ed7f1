"""The gates and checks of a phase in a rehearsal: asked where the copy can answer, else passed over, and told of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.checks import REGISTRY as CHECKS
from lockgate.checks.base import CheckResult
from lockgate.engine import approval
from lockgate.engine.checking import Spares
from lockgate.engine.clock import ForwardedClock
from lockgate.engine.job import Job
from lockgate.errors import LockgateError
from lockgate.gates import REGISTRY
from lockgate.gates.base import GateContext, GateResult
from lockgate.plan.models import (
    BackupGate,
    ExplainCheck,
    NormaliseStep,
    Phase,
    Plan,
    QueryCheck,
    QueryGate,
    ReconcileCheck,
    RetainedGate,
    SoakGate,
)
from lockgate.rehearse import backing

if TYPE_CHECKING:
    from lockgate.rehearse.copy import Copy

_OF_VALUES = (QueryCheck, ExplainCheck)
_ASKED = (QueryGate, SoakGate, RetainedGate)


@dataclass(frozen=True, slots=True)
class GatePassed:
    """How a gate was passed.

    :param how: ``open``, ``time was let pass``, ``a backup of the copy was made``, or ``passed over``.
    :param what: what it said, or why it was not asked.
    """

    phase: str
    asks: str
    how: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckSpared:
    """A check that failed on generated rows, of which it says nothing that would hold in production.

    :param what: what it said.
    """

    phase: str
    asks: str
    what: str


def sparing(plan: Plan, told: list[CheckSpared], *, generated: bool) -> Spares:
    """What lets the checks pass that look at values, if the rows are generated; tells of each once."""
    steps = (step for phase in plan.phases for step in phase.steps)
    normalised = {step.normalise for step in steps if isinstance(step, NormaliseStep)}

    def spares(phase: Phase, number: int, result: CheckResult) -> bool:
        check = phase.checks[number]
        of_values = isinstance(check, _OF_VALUES) or (
            isinstance(check, ReconcileCheck) and check.reconcile in normalised  # its rows may collide by chance
        )
        if not generated or not of_values:
            return False
        spared = CheckSpared(phase.id, CHECKS[type(check)].describe(check), result.what)
        if (spared.phase, spared.asks) not in {(each.phase, each.asks) for each in told}:
            told.append(spared)
        return True

    return spares


def passing(copy: Copy, clock: ForwardedClock, told: list[GatePassed]) -> Callable[[Job, Phase], None]:
    """What goes through the gates of a phase on the copy, and tells how; a phase that comes again tells it once."""
    said: set[str] = set()

    def go(job: Job, phase: Phase) -> None:
        for number, gate in enumerate(phase.gates):
            asks = REGISTRY[type(gate)].describe(gate)
            if isinstance(gate, _ASKED):
                how, what = _ask(job, phase, number, clock)
            elif isinstance(gate, BackupGate) and backing.wanted(phase):
                backing.back_up(copy, job.loaded.plan.plan, gate.backup)
                how, what = "a backup of the copy was made", _evaluate(job, phase, number, clock).what
            else:
                how, what = "passed over", "it asks the world around production, which the copy does not have"
            if phase.id not in said:
                told.append(GatePassed(phase.id, asks, how, what))
        said.add(phase.id)

    return go


def _ask(job: Job, phase: Phase, number: int, clock: ForwardedClock) -> tuple[str, str]:
    try:
        found = _evaluate(job, phase, number, clock)
        if found.passed or found.ready_at is None:
            return ("open" if found.passed else "passed over"), found.what
        with job.sessions.open("gates", read_only=True) as conn:
            missing = found.ready_at - clock.of(conn)
        clock.forward(missing)
        return "time was let pass", _evaluate(job, phase, number, clock).what
    except LockgateError as error:
        return "passed over", f"it could not be asked: {error.what}"


def _evaluate(job: Job, phase: Phase, number: int, clock: ForwardedClock) -> GateResult:
    gate = phase.gates[number]
    with job.sessions.open("gates", plan_sql=True, read_only=True) as conn:
        return REGISTRY[type(gate)].evaluate(
            GateContext(
                conn=conn,
                loaded=job.loaded,
                phase=phase,
                gate=gate,
                where=job.place(phase, "before", number),
                clock=clock,
                ledger=True,
                schema=lambda: approval.present_schema(conn),
            )
        )
