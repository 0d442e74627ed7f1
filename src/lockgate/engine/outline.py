"""A plan in a few words, as the ledger's chain keeps it with each run: what status and report call planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockgate.checks import REGISTRY as CHECKS
from lockgate.engine.phase_run import kind_of
from lockgate.gates import REGISTRY as GATES

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def outline(loaded: LoadedPlan) -> list[dict[str, Any]]:
    """The phases in their order, JSON values: ``id``, ``title``, ``gates``, ``steps``, ``checks`` and ``undo``.

    A gate or check is the line that says what must hold, a step its ``id``, ``kind`` and ``title``; ``undo``
    is None for a phase that says nothing about it.
    """
    return [
        {
            "id": phase.id,
            "title": phase.title,
            "gates": [GATES[type(gate)].describe(gate) for gate in phase.gates],
            "steps": [
                {"id": loaded.step_id(i, j), "kind": kind_of(step), "title": step.title}
                for j, step in enumerate(phase.steps)
            ],
            "checks": [CHECKS[type(check)].describe(check) for check in phase.checks],
            "undo": None if phase.undo is None else len(phase.undo),
        }
        for i, phase in enumerate(loaded.plan.phases)
    ]
