"""Step ``cutover``: the new model becomes the one that is written, in one short transaction that closes the old one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.cutover import record, wayback
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.settling import settle
from lockgate.errors import PlanError
from lockgate.plan.models import CutoverStep, Phase
from lockgate.script.located import allowed
from lockgate.steps.base import StepResult, place
from lockgate.steps.cutback import take_back
from lockgate.steps.handover import CutoverHandover
from lockgate.steps.holding import drop_logs

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Compares all without a lock; then holds the writers for as long as their last changes take to arrive."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: CutoverStep) -> None:
        """:raises PlanError: for SQL that cannot run in the transaction, or could not be taken back."""
        for name, text in (("switch", step.switch), ("switch_back", step.switch_back)):
            if text is not None:
                allowed(text, partial(place, loaded, phase, step, name))
        if (step.switch is None) != (step.switch_back is None):
            given = "switch" if step.switch is not None else "switch_back"
            raise PlanError(
                f"`{given}` without its other half",
                where=place(loaded, phase, step, given),
                why="What tells the application which model is the one must be told in both directions.",
                hint="Write both, or neither.",
            )

    def run(self, ctx: StepContext) -> StepResult:
        """:raises CheckFailed: if the two models do not agree; nothing was changed then."""
        with ctx.sessions.open("cutover") as conn:
            found = record.find(conn, ctx.plan, ctx.step_id)
            if found is None or found.state != "over":
                found = CutoverHandover(ctx, conn).do()
            fault("cutover.over")
            drop_logs(ctx, conn, found.targets, keep=wayback.still_logged(conn, found))
            for target in found.back:
                settle(ctx.sessions, target, ctx.clock, ctx.stop, place(ctx.loaded, ctx.phase, ctx.step), ctx.progress)
            fault("cutover.settled")
        way = "the way back is open" if found.back else "there is no way back but by losing what is written from now on"
        return StepResult(
            f"{len(found.closed)} tables closed; {way}", facts={"targets": len(found.targets), "back": len(found.back)}
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: CutoverStep) -> list[str]:
        """The tables, the locks, and how long writers wait at most."""
        lines = [f"{name} is closed: SHARE ROW EXCLUSIVE" for name in step.old]
        lines.append(
            f"all of them together, for {step.hold.total_seconds():g} s at most in one try; readers do not wait"
        )
        lines += [f"way back: {each.map} keeps {each.into} in step afterwards" for each in step.back]
        if not step.back:
            lines.append("no way back: a rollback loses what was written since, and says what")
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Make the old model the one again."""
        return take_back(ctx, lose_rows)
