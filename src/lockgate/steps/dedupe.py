"""Step ``dedupe``: of rows that are alike one stays, the others are kept in quarantine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.deduping import definition
from lockgate.deduping.definition import Alike
from lockgate.deduping.places import Places
from lockgate.deduping.removing import Remover
from lockgate.deduping.returning import Returner
from lockgate.deduping.statements import Statements
from lockgate.engine.context import StepContext
from lockgate.errors import LockgateError
from lockgate.plan.models import DedupeStep, Phase
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_LOOKS_FOR = "20s"


class Runner:
    """Removes the surplus rows; taken back, they are there again, and what referred to them does so again."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: DedupeStep) -> None:
        """:raises PlanError: for SQL that is no ORDER BY item, or no condition."""
        definition.validate(step, partial(place, loaded, phase, step))

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: if rows cannot be removed; batches that are done stay done."""
        where = place(ctx.loaded, ctx.phase, ctx.step, "dedupe")
        with ctx.sessions.open("step", plan_sql=True) as conn:
            alike = definition.read(conn, ctx.step, partial(place, ctx.loaded, ctx.phase, ctx.step))
            remover = Remover(ctx, conn, alike, where)
            left = remover.run()
            kept = remover.kept()
        rows, repointed = kept.result["rows"], sum(kept.result["repointed"].values())
        return StepResult(
            f"{_count(rows, 'row')} removed"
            + (f", kept in {kept.result['kept in']}" if rows else "")
            + (f"; {_count(repointed, 'reference')} changed" if repointed else ""),
            facts={"quarantined": rows, "repointed": kept.result["repointed"]},
            evidence=(kept, left),
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: DedupeStep) -> list[str]:
        """How many rows would go, and what refers to the table."""
        try:
            alike = definition.read(conn, step, partial(place, loaded, phase, step))
        except LockgateError as error:
            return [f"not known yet: {error.what}"]
        by = ", ".join(column.name for column in alike.by)
        lines = [f"{alike.table.label}: rows alike in ({by}); {_surplus(conn, alike)}"]
        lines += [
            f"  {each.child.label}({', '.join(column.name for column in each.columns)}) refers to the row that stays"
            for each in alike.references
        ]
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Put the rows back. A reference that the application has changed since stays as it is."""
        where = place(ctx.loaded, ctx.phase, ctx.step, "dedupe")
        with ctx.sessions.open("step", plan_sql=True) as conn:
            back = Returner(ctx, conn, where).run()
        changed = f"; {_count(back.changed, 'reference')} left, changed since" if back.changed else ""
        replaced = f"; {_count(back.replaced, 'row')} not, of whose key a later one came back" if back.replaced else ""
        return StepResult(
            f"{_count(back.rows, 'row')} put back, {_count(back.references, 'reference')} changed back"
            f"{changed}{replaced}",
            facts={
                "rows": back.rows,
                "references": back.references,
                "changed since": back.changed,
                "replaced": back.replaced,
            },
        )


def _surplus(conn: Connection[Any], alike: Alike) -> str:
    """Reads all rows, if that is quick."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (_LOOKS_FOR,))
            row = conn.execute(Statements(alike, Places(0)).surplus().encode()).fetchone()
    except psycopg.errors.QueryCanceled:
        return f"not counted within {_LOOKS_FOR}"
    assert row is not None, "they are counts"
    return f"{_count(row[1], 'row')} too many in {_count(row[0], 'group')}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
