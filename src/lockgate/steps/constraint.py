"""Step ``constraint``: constraints that are added, and proved, beside writers."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.adding import Adder
from lockgate.constraints.describing import statements
from lockgate.constraints.notes import Notes
from lockgate.constraints.wanted import Kind, Wanted, wanted
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.errors import DatabaseError, PlanError
from lockgate.indexing.notes import Notes as IndexNotes
from lockgate.indexing.state import look_for
from lockgate.plan.models import ConstraintStep, Phase
from lockgate.script import foreseen
from lockgate.steps.base import StepResult, place
from lockgate.suggest import did_you_mean

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Adds the constraints; a foreign key may be left out while the table that it refers to is missing."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: ConstraintStep) -> None:
        """:raises PlanError: for what is no constraint that can be added so."""
        names = [each.name for each in _wanted(loaded, phase, step) if each.kind is Kind.FOREIGN_KEY]
        for name in step.skip_missing:
            if name not in names:
                raise PlanError(
                    f"`{name}` is no foreign key of this step{did_you_mean(name, names)}",
                    where=place(loaded, phase, step, "skip_missing", name),
                    why="Only a foreign key refers to a table that may be missing.",
                )

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the place of the constraint that could not be added."""
        asked, evidence, skipped = list[Wanted](), list[Evidence](), dict[str, str]()
        with ctx.sessions.open("step") as conn, closing(Adder(ctx)) as adder:
            for each in _wanted(ctx.loaded, ctx.phase, ctx.step):
                missing = state.missing(conn, each) if each.kind is Kind.FOREIGN_KEY else None
                if missing is None:
                    asked.append(each)
                else:
                    reason = skipped[each.name] = _reason(ctx.step, each)
                    evidence.append(
                        Evidence(missing.name, missing.query, {**missing.result, "skipped_because": reason})
                    )
            there = adder.add(conn, asked)
            added = adder.added(conn)
            done = [each.wanted.title for each in there if each.key in added]
            known = [state.evidence(conn, each.wanted.kind, each.table.sql, each.wanted.name) for each in there]
            evidence.extend(filter(None, known))
        return StepResult(
            _count(len(done)) + " added" + "".join(f"; {name} skipped: {why}" for name, why in skipped.items()),
            facts={"added": done, "skipped": skipped},
            evidence=tuple(evidence),
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: ConstraintStep) -> list[str]:
        """The statements as they are run, and their locks."""
        asked, remarks = list[Wanted](), list[str]()
        for each in _wanted(loaded, phase, step):
            if each.kind is Kind.FOREIGN_KEY and each.name in step.skip_missing and state.missing(conn, each):
                remarks.append(f"{each.title}: skipped, {each.parent} is not there ({step.skip_missing[each.name]})")
                continue
            asked.append(each)
            table = look_for(conn, each.table)
            if table is not None and table.partitioned and each.kind.by_parts:
                remarks.append(f"{each.title}: on each partition first; then the whole table takes it over")
        lines = []
        for item in statements(asked, conn):
            lines.append(item.statement.text)
            (told,) = foreseen.told(conn, [item])
            lines.extend(f"  {line}" for line in told)
        return lines + remarks

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Drop what was added, the last first."""
        where = place(ctx.loaded, ctx.phase, ctx.step)
        with ctx.sessions.open("step") as conn, closing(Adder(ctx)) as adder:
            count = adder.drop_all(conn, where)
            with ctx.fenced(conn):
                Notes(ctx).clear(conn)
                IndexNotes(ctx).clear(conn)
        return StepResult(f"{_count(count)} dropped")


def _wanted(loaded: LoadedPlan, phase: Phase, step: ConstraintStep) -> list[Wanted]:
    return wanted(step.constraint, partial(place, loaded, phase, step, "constraint"))


def _reason(step: ConstraintStep, wanted: Wanted) -> str:
    reason = step.skip_missing.get(wanted.name)
    if reason is None:
        raise DatabaseError(
            f"There is no table {wanted.parent} that the {wanted.title} could refer to",
            where=wanted.where,
            hint=f"Create it before, or say why it may be missing: `skip_missing: {{{wanted.name}: ...}}`.",
        )
    return reason


def _count(number: int) -> str:
    return f"{number} constraint{'' if number == 1 else 's'}"
