"""Step ``normalise``: values get their normal form in batches beside writers; what is unfit, or collides, is listed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted, PlanError
from lockgate.fitting import bulk, collisions, passes
from lockgate.fitting.bulk import Bulk
from lockgate.fitting.collisions import Collisions
from lockgate.fitting.definition import Fitting, dump, normalisers, of_step
from lockgate.fitting.passes import Pass, Passes
from lockgate.fitting.returning import Returning
from lockgate.ledger import chunks, normalisations, steps
from lockgate.ledger.normalisations import Normalisation
from lockgate.plan.models import NormaliseStep, Phase
from lockgate.script.running import patiently
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """One pass by blocks with all workers, then passes over the whole table until one finds nothing to write."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: NormaliseStep) -> None:
        """:raises LockgateError: for a region that is not known, or a package that is not installed."""
        normalisers(step, partial(place, loaded, phase, step))

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the place, if the table does not fit the step; before anything is changed."""
        where = place(ctx.loaded, ctx.phase, ctx.step)
        with ctx.sessions.open("normalise") as conn:
            fitting = _fitting(conn, ctx.loaded, ctx.phase, ctx.step)
            of = patiently(ctx, conn, partial(_begin, ctx, conn, fitting))
            fault("normalise.begun")
            patiently(ctx, conn, partial(_cut, ctx, conn, fitting))
        fault("normalise.planned")
        started = ctx.clock.monotonic()
        Bulk(ctx, fitting, of, where).run()
        if ctx.stop.is_set():
            raise Interrupted("Stopped between two batches", where=where, hint="`lockgate apply` goes on there.")
        seconds = ctx.clock.monotonic() - started
        done = self._until_none(ctx, Passes(ctx, fitting, of, where))
        with ctx.sessions.open("normalise") as conn:
            found = None
            if fitting.unique:
                found = patiently(ctx, conn, partial(collisions.list_all, conn, fitting, of))
                fault("normalise.listed")
            return _result(ctx, conn, fitting, done, found, seconds)

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: NormaliseStep) -> list[str]:
        """What is read and written, and the locks."""
        fitting = _fitting(conn, loaded, phase, step)
        table = fitting.table
        key = ", ".join(column.name for column in fitting.key)
        lines = [f"{table.label}: about {max(0, round(table.estimated_rows))} rows, by key ({key})"]
        for part, said in zip(fitting.parts, step.columns.values(), strict=True):
            region = f" ({said.region} where no country is said)" if said.region else ""
            lines.append(
                f"{part.column.name}: {part.source.name} as {said.as_}{region}{_indexes(table, part.column.name)}"
            )
        unfit = "stay as they are" if step.on_unfit == "keep" else "become NULL"
        lines.append(f"where a value has no normal form, these columns {unfit}; it is listed in lockgate.quarantine")
        if fitting.unique:
            names = ", ".join(column.name for column in fitting.unique)
            lines.append(f"rows that would collide under ({names}) are listed; none is changed for it")
        lines.append(
            "locks: ROW EXCLUSIVE, and rows only while a batch of them is written; "
            f"one pass by blocks, then at most {step.passes} over all rows, until one finds nothing to write"
        )
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Put the values of before back, where nobody has changed what the step wrote."""
        name = ctx.step.normalise
        with ctx.sessions.open("undo") as conn:
            of = normalisations.find(conn, ctx.plan, name)
            if of is None:
                return StepResult(f"{name}: nothing was written")
            back = Returning(ctx, conn, of, place(ctx.loaded, ctx.phase, ctx.step), lose=lose_rows).run()
        left = f"; {back.changed} stay, for somebody changed them since" if back.changed else ""
        left += f"; {back.gone} have no row any more" if back.gone else ""
        facts = {"put_back": back.values, "changed_since": back.changed, "without_row": back.gone}
        return StepResult(f"{name}: {back.values} values put back{left}", facts=facts)

    def _until_none(self, ctx: StepContext, looking: Passes) -> list[Pass]:
        done: list[Pass] = []
        for number in range(1, ctx.step.passes + 1):
            found = looking.one(number)
            done.append(found)
            what = f"{found.found} rows lacked their normal form" if found.found else "no row lacks its normal form"
            ctx.progress.event(f"{ctx.step.normalise}: pass {number}: {what}")
            if not found.found:
                break
        return done


def _fitting(conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: NormaliseStep) -> Fitting:
    return of_step(conn, step, partial(place, loaded, phase, step))


def _begin(ctx: StepContext, conn: Connection[Any], fitting: Fitting) -> Normalisation:
    """:raises PlanError: if it had begun as another one."""
    made = normalisations.begin(
        conn,
        ctx.plan,
        fitting.name,
        relid=fitting.table.oid,
        key=[(column.number, column.plain_type) for column in fitting.key],
        definition=dump(ctx.step),
    )
    if made.definition != dump(ctx.step) or made.relid != fitting.table.oid:
        raise PlanError(
            f"{fitting.name} was changed after it began",
            where=fitting.place(),
            hint="`lockgate rollback` this phase first, or write the old text again.",
        )
    return made


def _cut(ctx: StepContext, conn: Connection[Any], fitting: Fitting) -> None:
    if steps.get(conn, ctx.step_row.id).detail.get("cut"):
        return
    chunks.insert(conn, ctx.step_row.id, bulk.ranges(conn, fitting, ctx.settings.chunk_rows))
    steps.record(conn, ctx.step_row.id, detail={"cut": True})


def _indexes(table: Relation, column: str) -> str:
    names = [index.name for index in table.indexes if column in index.columns]
    return f"; each row that changes gets new entries in {', '.join(names)} and all others" if names else ""


def _result(
    ctx: StepContext,
    conn: Connection[Any],
    fitting: Fitting,
    done: list[Pass],
    found: Collisions | None,
    seconds: float,
) -> StepResult:
    made, last = chunks.progress(conn, ctx.step_row.id), done[-1]
    counts = last.counts
    written = made.rows_written + sum(each.written for each in done)
    facts = {
        "chunks": made.total,
        "rows_read": made.rows_read,
        "values_written": written,
        "seconds": round(seconds, 3),
        "chunks_digest": chunks.digest(conn, ctx.step_row.id),
        "passes": [each.facts() for each in done],
    }
    said = [f"{written} values written", f"{counts.fit} fit, {counts.unfit} unfit, {counts.nulls} NULL"]
    if counts.unfit:
        said[-1] += f" ({', '.join(f'{n} {reason}' for reason, n in counts.reasons.most_common())})"
    if last.cleared:
        by_reason = ", ".join(f"{n} {reason}" for reason, n in last.cleared.most_common())
        said.append(f"{last.cleared.total()} unfit ones cleared ({by_reason})")
    if last.refused:
        said.append(f"{last.refused} rows refused by the table")
    if last.found:
        why = "written meanwhile" + (", or a trigger keeps them so" if fitting.table.triggers else "")
        said.append(f"{last.found} rows lacked it still in the last of {len(done)} passes: {why}")
    result = {**counts.facts(), "cleared_by_reason": dict(sorted(last.cleared.items()))}
    evidence = [Evidence(f"normalised:{fitting.name}", passes.query(fitting), result)]
    if found is not None:
        said.append(collisions.sentence(fitting, found))
        result = {"groups": found.groups, "rows": found.rows}
        evidence.append(Evidence(f"collisions:{fitting.name}", found.query, result))
    return StepResult(f"{fitting.name}: {'; '.join(said)}", facts=facts, evidence=tuple(evidence))
