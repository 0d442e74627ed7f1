"""Step ``analyze``: fresh statistics for the planner. May be repeated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, sql
from psycopg.errors import Diagnostic

from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.retry import passing
from lockgate.errors import Interrupted, PrivilegeMissing
from lockgate.plan.models import AnalyzeStep, Phase, split_name
from lockgate.script.running import strong_lock
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_ROWS = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)"
_ANALYZING = {"vacuum.c", "analyze.c"}
"""The server's files that say why a table is skipped; a function of an index may warn, too."""


class Runner:
    """Runs ANALYZE, a table at a time."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: AnalyzeStep) -> None:
        """Nothing can be refused before."""

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: if a table is missing, or may not be analyzed."""
        evidence = []
        for number, name in enumerate(ctx.step.analyze):
            where = place(ctx.loaded, ctx.phase, ctx.step, "analyze", number)
            if ctx.stop.is_set():
                raise Interrupted("Stopped between two tables", where=where)
            rows = strong_lock(ctx, where, ()).do(partial(_analyze, name, where))
            evidence.append(Evidence(f"analyzed:{name}", _ROWS, {"table": name, "estimated_rows": rows}))
            fault("analyze.table")
        count = len(evidence)
        return StepResult(f"{count} table{'' if count == 1 else 's'} analyzed", evidence=tuple(evidence))

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: AnalyzeStep) -> list[str]:
        """The tables; the lock lets reads and writes pass."""
        return [f"ANALYZE {name}: SHARE UPDATE EXCLUSIVE" for name in step.analyze]

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Statistics need no undoing."""
        return StepResult("nothing to undo")


def _analyze(name: str, where: str, conn: Connection[Any]) -> int:
    skipped: list[str] = []

    def look(notice: Diagnostic) -> None:
        # The server only warns, in its own language, and skips the table.
        if notice.severity_nonlocalized == "WARNING" and notice.source_file in _ANALYZING:
            skipped.append(notice.message_primary or "")

    conn.add_notice_handler(look)
    parts = split_name(name)
    assert parts is not None, "the plan's model lets no other name through"
    try:
        conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(*parts)))
    except psycopg.Error as error:
        if passing(error):
            raise
        raise sqlerrors.explain(error, where, f"{name} cannot be analyzed") from error
    if skipped:
        raise PrivilegeMissing(
            f"{name} cannot be analyzed",
            where=where,
            why=skipped[0],
            hint=f"Connect as its owner; from PostgreSQL 17 on: GRANT MAINTAIN ON {name} TO <the role>;",
        )
    row = conn.execute(_ROWS, (name,)).fetchone()
    return int(row[0]) if row else 0
