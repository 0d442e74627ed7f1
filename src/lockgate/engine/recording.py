"""What a run found out and did, put into the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.pins import step_digest
from lockgate.ledger import chain, steps

if TYPE_CHECKING:
    from lockgate.engine.context import StepContext
    from lockgate.steps.base import StepResult

_LOCK = b"SELECT state FROM lockgate.steps WHERE id = %s FOR NO KEY UPDATE"


def already_done(ctx: StepContext, conn: Connection[Any]) -> bool:
    """Lock the step's row until the open transaction ends, and say whether the step is done.

    A transactional step asks this first: a connection may have been lost at its COMMIT, and what the server
    still does for the old connection ends before the lock is had.
    """
    row = conn.execute(_LOCK, (ctx.step_row.id,)).fetchone()
    return row is not None and row[0] == "done"


def finish(ctx: StepContext, conn: Connection[Any], result: StepResult) -> None:
    """Mark the step done, with what it found, in the open transaction of its effect (see ``ctx.fenced``)."""
    steps.set_state(
        conn,
        ctx.step_row.id,
        "done",
        detail={"digest": step_digest(ctx.step), "summary": result.summary, "facts": dict(result.facts)},
    )
    evidence(conn, ctx.plan, ctx.phase.id, ctx.step_id, result.evidence, run_id=ctx.run_id)
    chain.append(
        conn,
        kind="step",
        plan=ctx.plan,
        phase=ctx.phase.id,
        step=ctx.step_id,
        payload={
            "state": "done",
            "kind": ctx.step_row.kind,
            "digest": step_digest(ctx.step),
            "summary": result.summary,
            "facts": dict(result.facts),
        },
        run_id=ctx.run_id,
    )
    fault("step.commit")


def evidence(
    conn: Connection[Any],
    plan: str,
    phase: str | None,
    step: str | None,
    items: Iterable[Evidence],
    *,
    run_id: int | None,
) -> None:
    """Append facts, each with its query."""
    for item in items:
        chain.evidence(
            conn,
            plan=plan,
            phase=phase,
            step=step,
            name=item.name,
            query=item.query,
            result=dict(item.result),
            run_id=run_id,
        )


def own_role(conn: Connection[Any]) -> None:
    """Be oneself again after SQL of the plan, which may have said SET ROLE, and read names as we write them."""
    conn.execute("RESET ROLE; SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
