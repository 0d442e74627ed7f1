"""What a step kind is: run, describe, undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.plan.models import Phase
from lockgate.plan.steps import step_name

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did.

    :param summary: one line for people.
    :param facts: JSON values for the ledger's chain.
    :param evidence: measured facts, each with its query.
    """

    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


class StepRunner(Protocol):
    """One step kind. Stateless; registered in ``lockgate.steps.REGISTRY``."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: Any) -> None:
        """Refuse, without a database, what can be refused; asked for every step before a run begins.

        :raises PlanError: with the place and the reason.
        """

    def run(self, ctx: StepContext) -> StepResult:
        """Do the step, or what is left of it after a kill.

        A transactional step calls ``engine.recording.finish`` in the transaction of its effect; for a
        step that did not, the runner does so afterwards (the step must then stand being run again).
        """

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: Any) -> list[str]:
        """Lines for ``lockgate plan``: SQL, locks, rows. Reads only."""

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Take the step back; may be called again after a kill."""


def place(loaded: LoadedPlan, phase: Phase, step: Any, *path: str | int, offset: int | None = None) -> str:
    """``file:line:column`` of a step of a phase (or of its undo), or of something in it.

    :param offset: a character of the SQL text at ``path``.
    """
    i = loaded.plan.phases.index(phase)
    for part, items in (("steps", phase.steps), ("undo", phase.undo or ())):
        for j, other in enumerate(items):
            if other is step:
                return loaded.where("phases", i, part, j, *path, offset=offset)
    for j, other in enumerate(phase.steps):
        if step_name(other) == step_name(step):  # a step that this one is made of
            return loaded.where("phases", i, "steps", j, *path)
    raise ValueError(f"phase {phase.id} has no such step")
