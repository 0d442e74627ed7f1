"""Step ``copy``: tables of another database come into this one, and again what differs, until nothing does."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.copying import returning, sequences, writing
from lockgate.copying.definition import Definition, of_step
from lockgate.copying.loading import Loader
from lockgate.copying.order import Order
from lockgate.copying.pairs import Pair
from lockgate.copying.passes import Copying, Pass, Target
from lockgate.copying.source import Source
from lockgate.engine.clock import SystemClock
from lockgate.engine.context import Silent, StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import ConnectionFailed, DatabaseError, LedgerError, PlanError
from lockgate.ledger import chunks, copies
from lockgate.ledger.copies import CopyRow
from lockgate.plan.models import CopyStep, Phase
from lockgate.script.running import patiently
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Loads by blocks the first time, then compares and copies what differs; an ``again`` only does the latter."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: CopyStep) -> None:
        """The databases decide; nothing can be refused before."""

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: if the tables do not fit, or if after all passes something still differs."""
        definition, where = of_step(ctx.loaded, ctx.step), place(ctx.loaded, ctx.phase, ctx.step)
        target = Target(ctx)
        with definition.source(ctx.loaded, ctx.clock, ctx.progress, ctx.stop) as source:
            try:
                order = _look(target.connection(), source, definition)
                _refuse_triggers(target.connection(), definition, order)
                copy = patiently(ctx, target.connection(), lambda: _begin(ctx, target.connection(), definition, order))
                silent = definition.step.triggers == "off"
                copying = Copying(ctx, source, target, copy, order, silent, where)
                fault("copy.begun")
                if ctx.step.again is None:
                    Loader(copying).run()
                return self._until_equal(ctx, copying, source)
            finally:
                target.close()

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: CopyStep) -> list[str]:
        """The tables in their order with rows and bytes there, and the locks."""
        definition = of_step(loaded, step)
        source = definition.source(loaded, SystemClock(), Silent(), threading.Event())
        with source, source.transaction() as there:
            order = definition.pairs(conn, there)
            _refuse_triggers(conn, definition, order)
            lines = [f"from {source.label}, which is only read: READ ONLY transactions, nothing is made there"]
            lines += [_described(there, pair) for pair in order.pairs]
        lines += [
            f"{', '.join(pair.table.label for pair in unit.pairs)}: in one transaction, for their keys go in a circle"
            for unit in order.units
            if unit.circle
        ]
        silent = definition.step.triggers == "off" and writing.triggers(conn, [p.table.oid for p in order.pairs])
        lock = "SHARE ROW EXCLUSIVE for each chunk, to keep triggers from firing" if silent else "ROW EXCLUSIVE"
        lines.append(f"locks: {lock}; at most {step.passes} passes, until {_aim(step)}")
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Take what was written here since to the other database if the plan says so, then remove what was copied."""
        definition = of_step(ctx.loaded, ctx.step)
        with ctx.sessions.open("undo") as conn:
            copy = copies.find(conn, ctx.plan, definition.name)
            if copy is None:
                return StepResult(f"{definition.name}: nothing was copied")
            said = returning.save(ctx, conn, definition, copy, lose_rows)
            if ctx.step.again is not None:
                returning.follow_again(ctx, conn, definition, copy, lose_rows)
                return StepResult(f"{definition.name}: {said}; its tables follow the other database again")
            removed = returning.remove(ctx, conn, copy, lose_rows)
            patiently(ctx, conn, lambda: copies.forget(conn, copy.id))
        return StepResult(f"{definition.name}: {said}; {removed} rows removed")

    # --- forth ----------------------------------------------------------------------------------------------

    def _until_equal(self, ctx: StepContext, copying: Copying, source: Source) -> StepResult:
        passes: list[Pass] = []
        for number in range(1, ctx.step.passes + 1):
            done = copying.one_pass(number)
            passes.append(done)
            ctx.progress.event(f"{copying.copy.name}: {done.sentence()}")
            if not done.found:
                break
            if not done.moved and len(passes) > 1 and not passes[-2].moved:
                break  # nothing can be done about what is left
        conn = copying.target.connection()
        moved = sum(
            source.patiently(partial(_advance, ctx, copying, pair), copying.target.close)
            for pair in copying.order.pairs
        )
        fault("copy.sequences")
        last = passes[-1]
        if not last.found:
            copying.agree(last.differences)
        elif ctx.step.until == "equal":
            raise DatabaseError(
                f"After {len(passes)} passes {last.found} rows still differ",
                where=copying.where,
                why=last.left() or "Somebody writes to the other database.",
                hint=_what_to_do(last),
            )
        made = chunks.progress(conn, ctx.step_row.id)
        facts = {
            "chunks": made.total,
            "rows_loaded": made.rows_written,
            "chunks_digest": chunks.digest(conn, ctx.step_row.id),
            "passes": [_facts(each) for each in passes],
            "sequences": moved,
        }
        total = sum(difference.source_rows for difference in last.differences)
        why = f" ({last.left()})" if last.left() else ""
        left = f"{last.found} rows differed in the last pass{why}" if last.found else "nothing differs"
        tables = f"{len(copying.order.pairs)} table{'' if len(copying.order.pairs) == 1 else 's'}"
        return StepResult(
            f"{copying.copy.name}: {tables}, {total} rows; {left} after {len(passes)} "
            f"pass{'' if len(passes) == 1 else 'es'}",
            facts=facts,
            evidence=tuple(
                Evidence(
                    f"copied:{d.pair.table.label}",
                    f"there: {d.query}; here: {d.query_here}",
                    {"table": d.pair.table.label, **d.facts()},
                )
                for d in last.differences
            ),
        )


def _look(conn: Connection[Any], source: Source, definition: Definition) -> Order:
    """The tables in order. Without patience: an address that is wrong, or tables that do not fit, are told at once."""
    try:
        with source.transaction() as there:
            return definition.pairs(conn, there)
    except ConnectionFailed as error:
        raise DatabaseError(
            "The other database cannot be used",
            where=definition.place("from"),
            why=". ".join(part for part in (f"{source.label}: {error.what}", error.why) if part),
            hint=error.hint,
        ) from error


def _begin(ctx: StepContext, conn: Connection[Any], definition: Definition, order: Order) -> CopyRow:
    if ctx.step.again is not None:
        found = copies.find(conn, ctx.plan, definition.name)
        if found is None:
            raise LedgerError(f"Copy {definition.name} has not begun", where=definition.place())
        copy = found
    else:
        copy = copies.begin(conn, ctx.plan, definition.name)
    for pair in order.pairs:
        copies.add_table(conn, copy.id, pair.table.oid, pair.table.label)
    return copy


def _refuse_triggers(conn: Connection[Any], definition: Definition, order: Order) -> None:
    """:raises PlanError: if tables have triggers, and the plan does not say what becomes of them."""
    if definition.step.triggers is not None:
        return
    found = writing.triggers(conn, [pair.table.oid for pair in order.pairs])
    if found:
        raise PlanError(
            "Triggers would fire for the rows that are copied",
            where=definition.place("tables"),
            why="; ".join(f"{name} on {table}" for table, name, _ in found),
            hint="`triggers: off` keeps them from firing for these rows, as in replication; `fire` lets them.",
        )


def _advance(ctx: StepContext, copying: Copying, pair: Pair) -> int:
    conn = copying.target.connection()
    with ctx.fenced(conn):
        return sequences.advance(conn, pair)


def _facts(done: Pass) -> dict[str, Any]:
    return {
        "pass": done.number,
        "found": done.found,
        "written": done.written,
        "removed": done.removed,
        "waiting": done.waiting,
        "refused": done.refused,
    }


def _what_to_do(last: Pass) -> str:
    if any(difference.clashing for difference in last.differences):
        return (
            "Nothing that was written here is ever overwritten: delete those rows here, or make them equal; "
            "then run the command again."
        )
    if last.refused or last.waiting:
        return "Mend the rows there, or what refuses them here; then run the command again."
    return (
        "Stop its writers before the last copy (an `approval` or `command` gate before it), or say `until: passes`; "
        "then run the command again."
    )


def _aim(step: CopyStep) -> str:
    return "nothing differs" if step.until == "equal" else "nothing differs or they are used up"


def _described(there: Connection[Any], pair: Pair) -> str:
    key = ", ".join(held.column.name for held in pair.key)
    size = "an unknown number of rows"
    if pair.there is not None:
        row = there.execute(
            "SELECT coalesce(sum(pg_catalog.pg_table_size(o)), 0)::bigint FROM unnest(%s::oid[]) AS l (o)",
            ([leaf.oid for leaf in pair.leaves],),
        ).fetchone()
        size = f"about {round(pair.there.estimated_rows)} rows, {int(row[0]) if row else 0} bytes"
    form = "binary" if pair.binary else "text"
    return f"{pair.label} to {pair.table.label}: {size}, by key ({key}), {len(pair.columns)} columns, as {form}"
