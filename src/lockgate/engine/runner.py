"""Running a plan: everything is decided from the ledger and the catalog, so that a killed run just goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockgate.engine import gating
from lockgate.engine.checking import Spares, spare_none
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.job import Job
from lockgate.engine.phase_run import PassGates, run_phase
from lockgate.engine.rollback import rollback
from lockgate.engine.run import Outcome, RunResult, run
from lockgate.engine.session import Sessions
from lockgate.errors import UsageError
from lockgate.plan.models import Phase
from lockgate.steps import REGISTRY
from lockgate.suggest import nearest

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

__all__ = ["Outcome", "RunResult", "apply", "rollback", "upto"]


def apply(
    loaded: LoadedPlan,
    sessions: Sessions,
    *,
    to: str | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    pass_gates: PassGates = gating.pass_gates,
    spares: Spares = spare_none,
) -> RunResult:
    """Bring the plan's phases to their end, up to and with ``to``; those that are done are passed over.

    :param stop: set it, and the run ends at the next safe place; the next one goes on there.
    :param pass_gates: only a rehearsal asks the gates in another way.
    :param spares: only a rehearsal lets checks fail.
    :raises LockgateError: why it does not get there; ``exit_code`` tells the classes apart.
    """
    wanted = upto(loaded, to)
    for phase in wanted:
        for step in phase.steps:
            REGISTRY[type(step)].validate(loaded, phase, step)

    def work(job: Job) -> Iterator[str]:
        for phase in wanted:
            if run_phase(job, phase, pass_gates, spares):
                yield phase.id

    return run(loaded, sessions, "apply", work, progress=progress, clock=clock, stop=stop)


def upto(loaded: LoadedPlan, to: str | None) -> tuple[Phase, ...]:
    """The phases of a plan, up to and with ``to``.

    :raises UsageError: if there is no such phase.
    """
    phases = loaded.plan.phases
    if to is None:
        return phases
    names = [phase.id for phase in phases]
    if to not in names:
        close = nearest(to, names)
        raise UsageError(
            f"There is no phase {to}",
            where=f"{loaded.folder}/plan.yaml",
            hint=f"Did you mean {close}?" if close else f"The phases are {', '.join(names)}.",
        )
    return phases[: names.index(to) + 1]
