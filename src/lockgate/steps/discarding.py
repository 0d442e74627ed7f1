"""Dropping the table of before a rewrite, when its way back is closed: every row is in the one that has its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.catalog import relations
from lockgate.cutover import closing, record
from lockgate.cutover.record import Cutover
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.ledger import steps
from lockgate.plan.models import CloseStep, Phase, RewriteStep
from lockgate.plan.values import split_name
from lockgate.replacing import room
from lockgate.safety.database import amount
from lockgate.script.running import strong_lock
from lockgate.sql.ddl import dotted
from lockgate.steps.base import StepResult, place
from lockgate.steps.replacing import aside

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def rewritten(loaded: LoadedPlan, step: CloseStep) -> RewriteStep | None:
    """The rewrite whose way back a step closes, if it is one: then it drops the table of before, too."""
    every = (each for phase in loaded.plan.phases for each in phase.steps)
    return next((each for each in every if isinstance(each, RewriteStep) and each.rewrite == step.close), None)


def discarded(loaded: LoadedPlan, phase: Phase) -> set[str]:
    """The tables, in SQL, that a phase drops so: an undo does not bring them back, and nobody misses them."""
    found = set()
    for step in phase.steps:
        of = rewritten(loaded, step) if isinstance(step, CloseStep) else None
        table = split_name(of.table) if of is not None else None
        if of is not None and table is not None:
            found.add(dotted((table[0], aside(of, table[1]))))
    return found


def discard(ctx: StepContext, conn: Connection[Any], cutover: Cutover) -> StepResult:
    """Drop what a cutover has closed; may be called again after a kill.

    :raises psycopg.errors.DependentObjectsStillExist: if somebody made something that needs the table.
    """
    where = place(ctx.loaded, ctx.phase, ctx.step)
    for oid in cutover.closed:
        table = relations.read(conn, oid)

        def attempt(on: Connection[Any], oid: int = oid, name: str = table.sql) -> None:
            with ctx.fenced(on):
                now = record.find(on, ctx.plan, ctx.step.close)
                if now is None or oid not in now.closed:
                    return  # the answer to the COMMIT was lost
                sizes = room.sizes(on, oid)
                on.execute(f"DROP TABLE {name} RESTRICT".encode())
                closing.forget(on, closing.of_old(cutover.id))
                record.discarded(on, cutover.id)
                steps.record(on, ctx.step_row.id, detail={"given_back": sizes})
                fault("close.drop")

        strong_lock(ctx, where, (table.sql,)).do(attempt)
        fault("close.dropped")
    sizes: dict[str, int] = steps.get(conn, ctx.step_row.id).detail["given_back"]
    return StepResult(
        f"the table of before {ctx.step.close} is dropped: {amount(sizes['total'])} are given back",
        facts={"given_back": sizes["total"]},
        evidence=(Evidence(f"given_back:{ctx.step.close}", room.SIZES.decode(), sizes),),
    )
