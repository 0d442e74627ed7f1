"""The proof of a normalisation, at any later time: how many rows lack their normal form, and how many collide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine.evidence import Evidence
from lockgate.errors import Interrupted
from lockgate.fitting import collisions, passes
from lockgate.fitting.definition import Place, of_step
from lockgate.plan.models import NormaliseStep

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def find(loaded: LoadedPlan, name: str) -> tuple[NormaliseStep, Place] | None:
    """The step of this name, and what tells the places in it."""
    for number, phase in enumerate(loaded.plan.phases):
        for n, step in enumerate(phase.steps):
            if isinstance(step, NormaliseStep) and step.normalise == name:
                return step, partial(loaded.where, "phases", number, "steps", n)
    return None


def judge(ctx: CheckContext, conn: Connection[Any], step: NormaliseStep, place: Place) -> CheckResult:
    """Look at all rows in one snapshot; unfit values fail no check: they have no normal form that could be lacking.

    :raises PlanError: if the table fits the step no more.
    :raises Interrupted: if the run is told to stop.
    """

    def goes_on() -> None:
        if ctx.stop():
            raise Interrupted("Stopped while rows were compared", where=ctx.where)

    fitting = of_step(conn, step, place)
    counts = passes.look(conn, fitting, goes_on)
    said = [f"{counts.lacking} of {counts.rows} rows lack their normal form", f"{counts.unfit} values are unfit"]
    evidence = [Evidence(f"normalised:{fitting.name}", passes.query(fitting), counts.facts())]
    passed = not counts.lacking
    if fitting.unique:
        found = collisions.count(conn, fitting)
        said.append(collisions.sentence(fitting, found))
        result = {"groups": found.groups, "rows": found.rows}
        evidence.append(Evidence(f"collisions:{fitting.name}", found.query, result))
        passed = passed and not found.rows
    hint = (
        "Rows that were written since: normalise again, by a further step in a later phase, once the application "
        f"writes the normal form itself. SELECT * FROM lockgate.quarantine WHERE mapping = '{fitting.name}' shows "
        "those that the step found refused, or in collision."
    )
    return CheckResult(passed, f"{fitting.name}: {'; '.join(said)}", tuple(evidence), None if passed else hint)
