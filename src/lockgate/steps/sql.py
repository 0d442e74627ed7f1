"""Step ``sql``: all statements and the ledger's line in one transaction, or one by one outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine import recording, seeds
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.plan.models import Phase, SqlStep
from lockgate.script import foreseen
from lockgate.script.located import Located, allowed
from lockgate.script.running import counted, execute, strong_lock
from lockgate.script.statements import strong, writes_only_its_text
from lockgate.steps import outside, refusals
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Runs the plan's own SQL."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: SqlStep) -> None:
        """:raises PlanError: for what cannot be done exactly once."""
        _statements(loaded, phase, step)

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the place of the statement that failed."""
        found = _statements(ctx.loaded, ctx.phase, ctx.step)
        with ctx.sessions.open("step", plan_sql=True) as conn:
            refusals.ask(conn, found)
        if ctx.step.outside_transaction:
            return outside.run(ctx, found)
        return _in_transaction(ctx, found)

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: SqlStep) -> list[str]:
        """Each statement with what it does: locks, rewrites, and how large the tables are."""
        found = _statements(loaded, phase, step)
        mode = "one by one, outside a transaction" if step.outside_transaction else "in one transaction"
        lines = [f"{counted(len(found))}, {mode}"]
        for item, does in zip(found, foreseen.told(conn, found), strict=True):
            lines.append(" ".join(item.statement.text.split()))
            lines.extend(f"  {line}" for line in does)
        held = sorted({name for item in found for name in strong(item.shape.locks) if _exists(conn, name)})
        if len(held) > 1 and not step.outside_transaction:
            lines.append(f"note: holds strong locks on {', '.join(held)} together; a step for each holds less up")
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Nothing can be derived: the phase's own undo takes the step back."""
        return StepResult("left to the phase's undo")


def _statements(loaded: LoadedPlan, phase: Phase, step: SqlStep) -> list[Located]:
    return allowed(step.sql, partial(place, loaded, phase, step, "sql"), alone=step.outside_transaction)


def _in_transaction(ctx: StepContext, found: Sequence[Located]) -> StepResult:
    relations = [name for item in found for name in strong(item.shape.locks)]
    count = len(found)
    result = StepResult(f"{counted(count)} in one transaction", {"statements": count})

    def work(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            if recording.already_done(ctx, conn):
                return
            for item in found:
                execute(conn, item)
                fault("sql.statement")
            recording.own_role(conn)
            recording.finish(ctx, conn, result)
            if all(writes_only_its_text(item.statement) for item in found):
                seeds.note(conn, ctx.step_row.id)

    strong_lock(ctx, found[0].where, relations).do(work)
    return result


def _exists(conn: Connection[Any], name: str) -> bool:
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row is not None and bool(row[0])
