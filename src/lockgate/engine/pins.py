"""What of a plan may not change any more, because it was done or approved."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine.phases import PhaseState, states
from lockgate.errors import PlanChanged
from lockgate.ledger import canonical, chain, steps
from lockgate.plan.models import Phase

if TYPE_CHECKING:
    from pydantic import BaseModel

    from lockgate.plan.load import LoadedPlan

UNDO = "undo:"
"""What the names of undo steps begin with in the ledger; no step of a plan can be called so."""


def step_digest(step: BaseModel) -> str:
    """The hash of what a step does; its title does not count."""
    return _hash(_content(step))


def phase_digest(phase: Phase) -> str:
    """The hash of what a phase does and demands; titles and the undo, which may be mended, do not count."""
    parts = {name: [_content(item) for item in getattr(phase, name)] for name in ("before", "steps", "after")}
    return _hash({"id": phase.id, **parts})


def refuse_changes(conn: Connection[Any], loaded: LoadedPlan) -> None:
    """Compare the plan with what the ledger says was done under it.

    :raises PlanChanged: if a phase that is done, or a step that is done in a phase that is not, was changed
        or taken out; it names them all.
    """
    plan = loaded.plan
    known = states(conn, plan.plan)
    by_name = {phase.id: phase for phase in plan.phases}
    done_as = _done_digests(conn, plan.plan)
    problems = []
    for name, state in known.items():
        phase = by_name.get(name)
        if not state.begun:
            continue
        if phase is None:
            problems.append(f"phase {name}, which is {state.value}, is not in the plan any more")
        elif state is PhaseState.DONE:
            if done_as.get(name) not in {None, phase_digest(phase)}:
                problems.append(_changed(conn, loaded, phase))
        else:
            problems.extend(_changed_steps(conn, loaded, phase))
    problems.extend(_out_of_order(loaded, known))
    if problems:
        raise PlanChanged(
            f"The plan is not what it was when {len(problems)} part(s) of it were done",
            where=f"{loaded.folder}/plan.yaml",
            why="; ".join(problems),
            hint="Put the plan back, or write what is new as a further phase; "
            "`lockgate rollback` takes a phase back so that it can be changed.",
        )


def _changed(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> str:
    steps_changed = list(_changed_steps(conn, loaded, phase))
    if steps_changed:
        return "; ".join(steps_changed)
    place = loaded.where("phases", loaded.plan.phases.index(phase))
    return f"{place}: gates, steps or checks of phase {phase.id}, which is done, were changed"


def _changed_steps(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> Iterable[str]:
    i = loaded.plan.phases.index(phase)
    present = {loaded.step_id(i, j): (j, step) for j, step in enumerate(phase.steps)}
    for row in steps.of_plan(conn, loaded.plan.plan):
        if row.phase != phase.id or row.state != "done" or row.step.startswith(UNDO):
            continue
        if row.step not in present:
            yield f"step {row.step} of phase {phase.id}, which is done, is not in the plan any more"
            continue
        j, step = present[row.step]
        if row.detail.get("digest") not in {None, step_digest(step)}:
            place = loaded.where("phases", i, "steps", j)
            yield f"{place}: step {row.step} of phase {phase.id}, which is done, was changed"


def _out_of_order(loaded: LoadedPlan, known: dict[str, PhaseState]) -> Iterable[str]:
    """Phases that are not done, before one that is: what runs would not be what was planned."""
    order = [(phase.id, known.get(phase.id, PhaseState.PENDING)) for phase in loaded.plan.phases]
    last = max((n for n, (_, state) in enumerate(order) if state is PhaseState.DONE), default=0)
    for name, state in order[:last]:
        if not state.begun:
            yield f"phase {name}, which is not done, stands before phase {order[last][0]}, which is done"


def _done_digests(conn: Connection[Any], plan: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in chain.entries(conn, plan, kinds=["phase"]):
        if entry.phase and entry.payload.get("state") == PhaseState.DONE.value:
            found[entry.phase] = str(entry.payload.get("digest"))
    return found


def _content(model: BaseModel) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude={"title"}, exclude_unset=True)


def _hash(content: Any) -> str:
    return sha256(canonical.encode(canonical.plain(content))).hexdigest()
