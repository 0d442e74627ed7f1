"""Step ``archive``: tables go into a schema of their own, read-only for everybody, with what they hold measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.archive import place as archive_place
from lockgate.archive import tables
from lockgate.archive.tables import Kept, Measured, Table
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted, PlanError
from lockgate.plan.models import ArchiveStep, Phase, format_duration, split_name
from lockgate.script.running import strong_lock
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Freezes each table, measures it, and moves it: nobody waits for the measuring."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> None:
        """:raises PlanError: if the archive is the ledger's schema or one of the server's."""
        if step.into == "lockgate" or step.into.startswith("pg_") or step.into == "information_schema":
            raise PlanError(f"{step.into} is no place for an archive", where=place(loaded, phase, step, "into"))

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
        count = len(evidence)
        return StepResult(
            f"{count} table{'' if count == 1 else 's'} archived for {format_duration(ctx.step.retain)}",
            evidence=evidence,
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> list[str]:
        """The tables and the locks."""
        return [
            f"{name} goes to {step.into}, read-only: SHARE ROW EXCLUSIVE to freeze it, "
            "then ACCESS EXCLUSIVE for a moment to move it"
            for name in step.archive
        ]

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
        return StepResult(f"{said}; dropped by somebody: {', '.join(gone)}" if gone else said)

    # --- forth ----------------------------------------------------------------------------------------------

    def _todo(self, ctx: StepContext, conn: Connection[Any]) -> list[tuple[Table, str]]:
        """The tables that are still to be archived, all of which may be, with their places in the plan."""
        done = {(kept.table.schema, kept.table.name): kept.table for kept in _kept(ctx, conn)}
        todo: list[tuple[Table, str]] = []
        for number, name in enumerate(ctx.step.archive):
            parts = split_name(name)
            assert parts is not None, "the plan's model lets no other name through"
            if parts not in done:
                where = place(ctx.loaded, ctx.phase, ctx.step, "archive", number)
                todo.append((tables.find(conn, parts, where), where))
        together = [*done.values(), *(table for table, _ in todo)]
        for table, where in todo:
            tables.refuse(conn, table, together, where)
        tables.refuse_clashes(conn, todo, ctx.step.into)
        return todo

    def _freeze(self, ctx: StepContext, table: Table, where: str) -> None:
        hint = f"`lockgate rollback` of phase {ctx.phase.id} of plan {ctx.plan} puts it back."
        if ctx.step.replacement:
            hint = f"Write to {ctx.step.replacement} instead; {hint}"

        def attempt(conn: Connection[Any]) -> None:
            with ctx.fenced(conn):
                tables.freeze(conn, table, hint)

        strong_lock(ctx, where, (_sql(table),)).do(attempt)

    def _move(self, ctx: StepContext, table: Table, measured: Measured, where: str) -> None:
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
                    why=ctx.step.why,
                    replacement=ctx.step.replacement,
                    at=now,
                    until=now + ctx.step.retain,
                )
                fault("archive.commit")

        strong_lock(ctx, where, (_sql(table),)).do(attempt)

    # --- back -----------------------------------------------------------------------------------------------

    def _take_out(self, ctx: StepContext, kept: Kept) -> None:
        def attempt(conn: Connection[Any]) -> None:
            with ctx.fenced(conn):
                tables.take_out(conn, kept)

        there = (_sql(kept.now),) if kept.now is not None else ()
        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), there).do(attempt)

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


def _kept(ctx: StepContext, conn: Connection[Any]) -> list[Kept]:
    return tables.kept_by(conn, ctx.plan, ctx.phase.id, ctx.step_id)


def _sql(table: Table) -> str:
    return table.named().as_string(None)


def _evidence(conn: Connection[Any], kept: Kept) -> Evidence:
    row = conn.execute(
        "SELECT row_count, bytes, content, measured_by, archived_at, retain_until "
        "FROM lockgate.archived WHERE relid = %s",
        (kept.table.oid,),
    ).fetchone()
    assert row is not None
    rows, size, content, query, at, until = row
    result = {
        "table": kept.table.label,
        "rows": int(rows),
        "bytes": int(size),
        "digest": content,
        "archived_at": at,
        "retain_until": until,
    }
    return Evidence(f"archived:{kept.table.label}", str(query), result)
