"""Step ``archive``: tables go into a schema of their own, read-only for everybody, with what they hold measured."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.archive import holds, oldname, tables
from lockgate.archive import place as archive_place
from lockgate.archive.oldname import Left
from lockgate.archive.tables import Kept, Measured, Table
from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted, PlanError
from lockgate.plan.models import ArchiveStep, Phase, format_duration, split_name
from lockgate.script.running import strong_lock
from lockgate.steps import oldnames
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Freezes each table, measures it, and moves it: nobody waits for the measuring."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> None:
        """:raises PlanError: if the archive is the ledger's schema or one of the server's, or for SQL of a view."""
        if step.into == "lockgate" or step.into.startswith("pg_") or step.into == "information_schema":
            raise PlanError(f"{step.into} is no place for an archive", where=place(loaded, phase, step, "into"))
        oldnames.validate(loaded, phase, step)

    def run(self, ctx: StepContext) -> StepResult:
        """:raises PlanError: before anything is changed, if a table is missing or something still hangs on it."""
        with ctx.sessions.open("archive") as conn:
            todo = self._todo(ctx, conn)
            if todo:
                with ctx.fenced(conn):
                    archive_place.prepare(conn, ctx.step.into, place(ctx.loaded, ctx.phase, ctx.step))
            fault("archive.prepared")
            for table, where in todo:
                if ctx.stop.is_set():
                    raise Interrupted("Stopped between two tables", where=where)
                self._freeze(ctx, table, where)
                fault("archive.frozen")
                measured = tables.measure(conn, table)
                self._move(ctx, table, measured, where)
                fault("archive.moved")
                ctx.progress.event(f"{table.label}: {measured.rows} rows are in {ctx.step.into}, read-only")
            evidence = tuple(_evidence(conn, kept) for kept in _kept(ctx, conn))
            named = _answers(oldname.left(conn, [kept.table.oid for kept in _kept(ctx, conn)]))
        count = len(evidence)
        return StepResult(
            f"{count} table{'' if count == 1 else 's'} archived for {format_duration(ctx.step.retain)}{named}",
            evidence=evidence,
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> list[str]:
        """The tables and the locks, and what answers at the old names."""
        lines = [
            f"{name} goes to {step.into}, read-only: SHARE ROW EXCLUSIVE to freeze it, "
            "then ACCESS EXCLUSIVE for a moment to move it"
            for name in step.archive
        ]
        if step.tombstone or step.views:
            at = partial(place, loaded, phase, step)
            done = {(kept.table.schema, kept.table.name) for kept in _begun(conn, loaded, phase, step)}
            wanted = [(name, where) for name, where in _wanted(loaded, phase, step) if name not in done]
            todo = [(tables.find(conn, name, where), where) for name, where in wanted]
            for table, where in todo:
                oldnames.refuse(conn, step, table, [other for other, _ in todo], at, where)
                lines += oldnames.describe(conn, step, table, at)
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Put every table back as it was."""
        with ctx.sessions.open("archive") as conn:
            kept = _kept(ctx, conn)
            for each in reversed(kept):
                self._take_out(ctx, each)
                fault("unarchive.moved")
            for number in range(len(ctx.step.archive)):
                self._thaw(ctx, conn, number)
            with ctx.fenced(conn):
                archive_place.clear(conn, ctx.step.into)
        gone = [each.table.label for each in kept if each.now is None]
        count = len(kept) - len(gone)
        said = f"{count} table{'' if count == 1 else 's'} put back"
        if gone:
            said += f"; dropped by somebody: {', '.join(gone)}"
        if erased := [_rows(each) for each in kept if each.erased_rows]:
            said += f"; erased while they were in the archive, and gone: {', '.join(erased)}"
        return StepResult(said)

    # --- forth ----------------------------------------------------------------------------------------------

    def _todo(self, ctx: StepContext, conn: Connection[Any]) -> list[tuple[Table, str]]:
        """The tables that are still to be archived, all of which may be, with their places in the plan."""
        done = {(kept.table.schema, kept.table.name): kept.table for kept in _kept(ctx, conn)}
        todo = [
            (tables.find(conn, parts, where), where)
            for parts, where in _wanted(ctx.loaded, ctx.phase, ctx.step)
            if parts not in done
        ]
        together = [*done.values(), *(table for table, _ in todo)]
        for table, where in todo:
            tables.refuse(conn, table, together, where)
        tables.refuse_clashes(conn, todo, ctx.step.into)
        at = partial(place, ctx.loaded, ctx.phase, ctx.step)
        # Names in the plan's SQL are read as the application reads them.
        with ctx.sessions.open("archive", plan_sql=True) as planned, planned.transaction(force_rollback=True):
            for table, where in todo:
                oldnames.refuse(planned, ctx.step, table, together, at, where)
        return todo

    def _freeze(self, ctx: StepContext, table: Table, where: str) -> None:
        def attempt(conn: Connection[Any]) -> None:
            with ctx.fenced(conn):
                tables.freeze(conn, table, _hint(ctx))

        strong_lock(ctx, where, (_sql(table),)).do(attempt)

    def _move(self, ctx: StepContext, table: Table, measured: Measured, where: str) -> None:
        model = oldnames.find(ctx.step, table, partial(place, ctx.loaded, ctx.phase, ctx.step), _hint(ctx))

        def attempt(conn: Connection[Any]) -> None:
            with ctx.fenced(conn):
                now = ctx.clock.of(conn)
                tables.move(conn, table, ctx.step.into)
                tables.keep(
                    conn,
                    table,
                    measured,
                    step=(ctx.plan, ctx.phase.id, ctx.step_id),
                    into=ctx.step.into,
                    said={name: getattr(ctx.step, name) for name in ("why", "replacement", "purpose", "basis")},
                    at=now,
                    until=now + ctx.step.retain,
                )
                if model is not None or ctx.step.tombstone:
                    oldname.leave(conn, table, ctx.step.into, model)
                    recording.own_role(conn)
                fault("archive.commit")

        strong_lock(ctx, where, (_sql(table),)).do(attempt)

    # --- back -----------------------------------------------------------------------------------------------

    def _take_out(self, ctx: StepContext, kept: Kept) -> None:
        where = place(ctx.loaded, ctx.phase, ctx.step)

        def attempt(conn: Connection[Any]) -> None:
            with ctx.fenced(conn):
                holds.refuse(conn, kept.id, kept.table.label, where)
                oldname.clear(conn, kept.table, where)
                if kept.now is not None:
                    oldname.refuse_taken(conn, kept.table, where)
                fault("unarchive.cleared")
                tables.take_out(conn, kept)
                fault("unarchive.commit")

        there = (_sql(kept.now),) if kept.now is not None else ()
        strong_lock(ctx, where, there).do(attempt)

    def _thaw(self, ctx: StepContext, conn: Connection[Any], number: int) -> None:
        """A table that was frozen and never moved, for the run was killed."""
        parts = split_name(ctx.step.archive[number])
        assert parts is not None
        where = place(ctx.loaded, ctx.phase, ctx.step, "archive", number)
        try:
            table = tables.find(conn, parts, where)
        except PlanError:
            return  # it never was there, or is gone: nothing of ours is on it
        if not tables.frozen(conn, table):
            return

        def attempt(on: Connection[Any]) -> None:
            with ctx.fenced(on):
                tables.thaw(on, table)

        strong_lock(ctx, where, (_sql(table),)).do(attempt)


def _begun(conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> list[Kept]:
    """What a run that was interrupted has archived."""
    if not tables.ledger_is_there(conn):
        return []
    i = loaded.plan.phases.index(phase)
    return tables.kept_by(conn, loaded.plan.plan, phase.id, loaded.step_id(i, phase.steps.index(step)))


def _kept(ctx: StepContext, conn: Connection[Any]) -> list[Kept]:
    return tables.kept_by(conn, ctx.plan, ctx.phase.id, ctx.step_id)


def _wanted(loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> list[tuple[tuple[str, ...], str]]:
    """The names of the step's tables, with their places in the plan."""
    found = []
    for number, name in enumerate(step.archive):
        parts = split_name(name)
        assert parts is not None, "the plan's model lets no other name through"
        found.append((parts, place(loaded, phase, step, "archive", number)))
    return found


def _hint(ctx: StepContext) -> str:
    """What is said to whoever writes."""
    hint = f"`lockgate rollback` of phase {ctx.phase.id} of plan {ctx.plan} puts it back."
    return f"Write to {ctx.step.replacement} instead; {hint}" if ctx.step.replacement else hint


def _answers(left: Sequence[Left]) -> str:
    """What answers at the old names, to be put behind a sentence."""
    said = ((False, "a view of the archived table"), (True, "a view of the new model"))
    return "".join(
        f"; {what} answers at {', '.join(view.label for view in left if view.of_model is of_model)}"
        for of_model, what in said
        if any(view.of_model is of_model for view in left)
    )


def _rows(kept: Kept) -> str:
    return f"{kept.erased_rows} row{'' if kept.erased_rows == 1 else 's'} of {kept.table.label}"


def _sql(table: Table) -> str:
    return table.named().as_string(None)


def _evidence(conn: Connection[Any], kept: Kept) -> Evidence:
    row = conn.execute(
        "SELECT row_count, bytes, content, measured_by, purpose, basis, archived_at, retain_until, answered_by "
        "FROM lockgate.archived WHERE relid = %s",
        (kept.table.oid,),
    ).fetchone()
    assert row is not None
    rows, size, content, query, purpose, basis, at, until, answered_by = row
    result = {
        "table": kept.table.label,
        "rows": int(rows),
        "bytes": int(size),
        "digest": content,
        "purpose": purpose,
        "basis": basis,
        "archived_at": at,
        "retain_until": until,
        "old_name_answered_by": answered_by,
    }
    return Evidence(f"archived:{kept.table.label}", str(query), result)
