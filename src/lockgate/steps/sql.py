"""Step ``sql``: all statements and the ledger's line in one transaction, or one by one outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.plan.models import Phase, SqlStep
from lockgate.sql.split import split
from lockgate.steps import outside, refusals
from lockgate.steps.base import Loss, StepResult, place
from lockgate.steps.running import execute, strong_lock, validate
from lockgate.steps.statements import shape, strong

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Runs the plan's own SQL."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: SqlStep) -> None:
        """:raises PlanError: for what cannot be done exactly once."""
        validate(step, place(loaded, phase, step, "sql"))

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the place of the statement that failed."""
        where = place(ctx.loaded, ctx.phase, ctx.step, "sql")
        with ctx.sessions.open("step", plan_sql=True) as conn:
            refusals.ask(conn, ctx.loaded, split(ctx.step.sql), where)
        if ctx.step.outside_transaction:
            return outside.run(ctx, where)
        return _in_transaction(ctx, where)

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: SqlStep) -> list[str]:
        """Each statement with its locks, and how many rows the locked tables hold."""
        statements = split(step.sql)
        mode = "one by one, outside a transaction" if step.outside_transaction else "in one transaction"
        lines = [f"{counted(len(statements))}, {mode}"]
        for statement in statements:
            lines.append(" ".join(statement.text.split()))
            lines.extend(f"  {lock} on {_known(conn, name)}" for name, lock in shape(statement).locks.items())
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Nothing can be derived: the phase's own undo takes the step back."""
        return StepResult("left to the phase's undo")

    def losses(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: SqlStep) -> list[Loss]:
        """None of its own; what the phase's undo drops is counted there."""
        return []


def counted(statements: int) -> str:
    """``1 statement``, ``2 statements``."""
    return f"{statements} statement{'' if statements == 1 else 's'}"


def _in_transaction(ctx: StepContext, where: str) -> StepResult:
    statements = validate(ctx.step, where)
    relations = [name for _, known in statements for name in strong(known.locks)]
    count = len(statements)
    result = StepResult(f"{counted(count)} in one transaction", {"statements": count})

    def work(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            if recording.already_done(ctx, conn):
                return
            for statement, _ in statements:
                execute(conn, statement, where)
                fault("sql.statement")
            recording.own_role(conn)
            recording.finish(ctx, conn, result)

    strong_lock(ctx, where, relations).do(work)
    return result


def _known(conn: Connection[Any], name: str) -> str:
    row = conn.execute(
        "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s) AND relkind IN ('r', 'p', 'm')", (name,)
    ).fetchone()
    return name if row is None or row[0] < 0 else f"{name} (about {row[0]} rows)"
