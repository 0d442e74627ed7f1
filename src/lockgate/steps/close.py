"""Step ``close``: the way back of a cutover is closed, and its logs go; of a rewrite also the table of before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.cutover import record, targets
from lockgate.cutover.record import Cutover
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.settling import settle
from lockgate.errors import PlanError
from lockgate.plan.models import CloseStep, Phase
from lockgate.script.running import between_batches
from lockgate.steps import discarding
from lockgate.steps.base import StepResult, place
from lockgate.steps.holding import drain, drop_logs

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Stops keeping the old model in step. What it holds then stays, and can be compared again."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: CloseStep) -> None:
        """The plan as a whole was looked at: there is such a cutover."""

    def run(self, ctx: StepContext) -> StepResult:
        """:raises PlanError: if the cutover is not over."""
        with ctx.sessions.open("close") as conn:
            found = self._found(ctx, conn)
            if "live" in targets.states(conn, found.back):
                drain(ctx, conn, found.back)
                between_batches(ctx, conn, lambda: targets.close(conn, found.back))
            fault("close.closed")
            drop_logs(ctx, conn, found.back)
            if discarding.rewritten(ctx.loaded, ctx.step) is not None:
                return discarding.discard(ctx, conn, found)
        return StepResult(f"the way back of {ctx.step.close} is closed")

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: CloseStep) -> list[str]:
        """What ends."""
        if discarding.rewritten(loaded, step) is not None:
            return [
                "the table of before is dropped and gives its space back: ACCESS EXCLUSIVE on it, which nobody uses",
                f"a rollback over {step.close} changes nothing then: the rows are in the table that has the name",
            ]
        return [f"the old model is kept in step no more: a rollback over {step.close} has to compare all of it first"]

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Open the way back again: all of the old model is compared, and made what the new one is by now."""
        with ctx.sessions.open("close") as conn:
            found = self._found(ctx, conn)
            if not found.back:
                return StepResult("there was no way back")
            if not found.closed:
                return StepResult("the table of before was dropped: there is no way back to open")
            if "closed" in targets.states(conn, found.back):
                between_batches(ctx, conn, lambda: targets.go_back(conn, found.back))
            fault("close.opened")
            for target in found.back:
                settle(ctx.sessions, target, ctx.clock, ctx.stop, place(ctx.loaded, ctx.phase, ctx.step), ctx.progress)
        return StepResult("the way back is open again: the old model was made what the new one is")

    def _found(self, ctx: StepContext, conn: Connection[Any]) -> Cutover:
        found = record.find(conn, ctx.plan, ctx.step.close)
        if found is None or found.state != "over":
            raise PlanError(
                f"{ctx.step.close} has not been cut over",
                where=place(ctx.loaded, ctx.phase, ctx.step, "close"),
                hint="Run its phase first.",
            )
        return found
