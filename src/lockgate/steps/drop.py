"""Step ``drop``: archived tables go for good, one a transaction, and a log that says so for ever stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lockgate.archive import dropping, hanging, holds, oldname
from lockgate.archive.dropping import Archived, State
from lockgate.archive.hanging import Hanging, Thing
from lockgate.catalog.content import Content
from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import AwaitingTime, CheckFailed, Interrupted, RollbackRefused
from lockgate.ledger import dropped
from lockgate.ledger.dropped import DroppedRow
from lockgate.plan.models import DropStep, Phase
from lockgate.script.running import strong_lock
from lockgate.steps import demands
from lockgate.steps.backed_up import BackedUp
from lockgate.steps.base import StepResult, place
from lockgate.steps.reads import refuse_used

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_SIZE = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"
_TRIES = 3  # of measuring a table that somebody vacuums or alters meanwhile


@dataclass(frozen=True, slots=True)
class _Ready:
    """A table that may be dropped, as far as could be seen without a lock.

    :param state: before its rows were read.
    :param backups: that hold these rows.
    """

    table: Archived
    where: str
    allowed: set[str]
    state: State
    rows: Content
    backups: list[dict[str, Any]]


class Runner:
    """Looks at all tables before it drops the first one; what was dropped is looked up in the log."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: DropStep) -> None:
        """:raises PlanError: if a table is archived by no earlier phase, or the phase lacks a gate."""
        demands.in_archive(loaded, phase, step)

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: before anything is dropped, if a table must be kept, changed, or is still needed."""
        with ctx.sessions.open("drop") as conn:
            ready = self._ready(ctx, conn)
            fault("drop.ready")
            together = [one.table.now.oid for one in ready]
            for one in ready:
                if ctx.stop.is_set():
                    raise Interrupted("Stopped between two tables", where=one.where)
                self._drop(ctx, conn, one, together)
                fault("drop.dropped")
            gone = _gone(ctx, conn)
            size = conn.execute(_SIZE).fetchone()
        assert size is not None
        before, after, bytes_ = gone[0].database_bytes, int(size[0]), sum(row.bytes for row in gone)
        facts = {"database_before": before, "database_after": after, "given_back": before - after, "bytes": bytes_}
        return StepResult(
            f"{len(gone)} table{'' if len(gone) == 1 else 's'} of {bytes_:,} bytes dropped; "
            f"the database went from {before:,} to {after:,} bytes",
            facts=facts,
            evidence=(Evidence(f"reclaimed:{ctx.step_id}", _SIZE, facts),),
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: DropStep) -> list[str]:
        """The tables, and what goes before them."""
        where = place(loaded, phase, step)
        names = demands.in_archive(loaded, phase, step)
        gone = {(row.to_schema, row.name) for row in dropped.of_plan(conn, loaded.plan.plan) if row.phase == phase.id}
        lines = [f"{'.'.join(name)} is gone already" for name in names if name in gone]
        hung: list[tuple[str, Hanging]] = []
        names = [name for name in names if name not in gone]
        tables = [dropping.find(conn, loaded.plan.plan, name, where) for name in names]
        oids = [table.now.oid for table in tables]
        for table, name in zip(tables, names, strict=True):
            found = _look(conn, step, table, oids, demands.allowed(phase, name))
            hung.append((table.was.label, found))
            bytes_ = dropping.state(conn, table.now).bytes
            until = f"{table.retain_until:%Y-%m-%d %H:%M:%S} UTC"
            lines += [
                *(f"before it: {thing.statement}" for thing in found.named),
                f"{table.now.label}, which was {table.was.label}, is dropped for good, no way back but a backup: "
                f"{table.rows:,} rows, {bytes_:,} bytes, kept until {until}; ACCESS EXCLUSIVE",
                *(f"{label} goes on answering from the new model" for label in _staying(conn, table)),
            ]
        hanging.refuse(hung, where)
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Nothing, if nothing was dropped.

        :raises RollbackRefused: else; a rollback asks for it before it takes back anything.
        """
        with ctx.sessions.open("drop") as conn:
            if gone := _gone(ctx, conn):
                raise RollbackRefused(f"{gone[0].label} was dropped", where=place(ctx.loaded, ctx.phase, ctx.step))
        return StepResult("nothing was dropped")

    # --- before ---------------------------------------------------------------------------------------------

    def _ready(self, ctx: StepContext, conn: Connection[Any]) -> list[_Ready]:
        gone = {(row.to_schema, row.name) for row in _gone(ctx, conn)}
        todo: list[tuple[Archived, str, set[str]]] = []
        names = demands.in_archive(ctx.loaded, ctx.phase, ctx.step)
        for number, name in enumerate(names):
            if name not in gone:
                where = place(ctx.loaded, ctx.phase, ctx.step, "drop", number)
                table = dropping.find(conn, ctx.plan, name, where)
                todo.append((table, where, demands.allowed(ctx.phase, name)))
        oids = [table.now.oid for table, _, _ in todo]
        for table, where, _ in todo:
            holds.refuse(conn, table.id, table.was.label, where)
            _refuse_too_early(ctx, conn, table, where)
        hung = [(table.was.label, _look(conn, ctx.step, table, oids, allowed)) for table, _, allowed in todo]
        here = place(ctx.loaded, ctx.phase, ctx.step)
        hanging.refuse(hung, here)
        seen = {title for _, found in hung for title in found.seen}
        for title in [title for title in ctx.step.with_ if title not in seen]:
            ctx.progress.event(f"`with` names {title}: it is not there, or does not depend on the tables that are")
        refuse_used(ctx, conn, [table.now for table, _, _ in todo], here)
        fault("drop.reading")
        backed_up = BackedUp(conn)
        return [_examine(conn, table, where, allowed, backed_up) for table, where, allowed in todo]

    # --- one table ------------------------------------------------------------------------------------------

    def _drop(self, ctx: StepContext, conn: Connection[Any], one: _Ready, together: list[int]) -> None:
        staying = "".join(f"; {label} goes on answering from the new model" for label in _staying(conn, one.table))
        for _ in range(_TRIES):
            if self._try(ctx, conn, one, together):
                event = f"{one.table.was.label}: {one.rows.rows} rows are gone; the log has how it was"
                ctx.progress.event(event + staying)
                return
            one = _examine(conn, one.table, one.where, one.allowed, BackedUp(conn))
        raise CheckFailed(
            f"{one.table.was.label} is altered again and again while its rows are read",
            where=one.where,
            hint="Find out who does it, then run `lockgate apply` again.",
        )

    def _try(self, ctx: StepContext, conn: Connection[Any], one: _Ready, together: list[int]) -> bool:
        """Drop the table; False if its rows could have changed since they were read."""

        def attempt(on: Connection[Any]) -> bool:
            with ctx.fenced(on):
                # A connection may have been lost at its COMMIT: what the server still does for it ends first.
                recording.already_done(ctx, on)
                if any(row.relid == one.table.now.oid for row in _gone(ctx, on)):
                    return True
                recording.own_role(on)
                on.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(one.table.now.named()))
                now = dropping.state(on, one.table.now)
                if now.token != one.state.token:
                    return False
                self._drop_locked(ctx, on, one, now, together)
                fault("drop.commit")
            return True

        found = _look(conn, ctx.step, one.table, together, one.allowed)
        known = [thing.relation for thing in found.named if thing.relation is not None]
        relations = [one.table.now.named().as_string(None), *known]
        return strong_lock(ctx, one.where, tuple(dict.fromkeys(relations))).do(attempt)

    def _drop_locked(
        self, ctx: StepContext, conn: Connection[Any], one: _Ready, now: State, together: list[int]
    ) -> None:
        now_in_archive = (one.table.now.schema, one.table.now.name)
        table = dropping.find(conn, ctx.plan, now_in_archive, one.where)  # its retention may be another one by now
        holds.refuse(conn, table.id, table.was.label, one.where)
        at = _refuse_too_early(ctx, conn, table, one.where)
        found = _look(conn, ctx.step, table, together, one.allowed)
        hanging.refuse([(table.was.label, found)], one.where)
        definition = dropping.definition(conn, table.now)
        things = hanging.drop(conn, found.named, one.where)
        statement = dropping.drop(conn, table.now)
        row = DroppedRow(
            plan=ctx.plan,
            phase=ctx.phase.id,
            step=ctx.step_id,
            relid=table.now.oid,
            from_schema=table.was.schema,
            name=table.was.name,
            to_schema=table.now.schema,
            row_count=one.rows.rows,
            bytes=now.bytes,
            content=table.content,
            measured_by=one.rows.query,
            definition=definition,
            dependents=[_told(thing) for thing in things],
            backups=one.backups,
            database_bytes=now.database_bytes,
            purpose=table.purpose,
            basis=table.basis,
            erased_rows=table.erased_rows,
            archived_at=table.archived_at,
            retain_until=table.retain_until,
            dropped_at=at,
        )
        dropped.keep(conn, row)
        done = ";\n".join([*(thing.statement for thing in things), statement])
        recording.evidence(conn, ctx.plan, ctx.phase.id, ctx.step_id, [_evidence(row, done)], run_id=ctx.run_id)


def _examine(conn: Connection[Any], table: Archived, where: str, allowed: set[str], backed_up: BackedUp) -> _Ready:
    state = dropping.state(conn, table.now)
    rows = dropping.refuse_changed(conn, table, state, where)
    return _Ready(table, where, allowed, state, rows, backed_up.of(table, rows, where))


def _refuse_too_early(ctx: StepContext, conn: Connection[Any], table: Archived, where: str) -> datetime:
    """The database's time.

    :raises AwaitingTime: if the table must still be kept.
    """
    now = ctx.clock.of(conn)
    if now < table.retain_until:
        until = f"{table.retain_until:%Y-%m-%d %H:%M:%S} UTC"
        raise AwaitingTime(
            f"{table.was.label} must be kept until {until}",
            where=where,
            hint=f"Run `lockgate apply` again after {until}.",
        )
    return now


def _look(conn: Connection[Any], step: DropStep, table: Archived, together: list[int], allowed: set[str]) -> Hanging:
    """What hangs on a table. The view that was left at its old name goes with it, if it is as it was left."""
    ours = [view for view in oldname.left(conn, [table.now.oid]) if view.untouched]
    named = {*step.with_, *(view.title for view in ours if not view.of_model)}
    texts = {function.removeprefix("function ") for view in ours for function in view.functions}
    return hanging.look(conn, [table.now.oid], together=together, named=named, allowed=allowed | texts)


def _staying(conn: Connection[Any], table: Archived) -> list[str]:
    """The old name, if the new model answers there: it needs the archived table no more."""
    return [view.label for view in oldname.left(conn, [table.now.oid]) if view.of_model and view.now is not None]


def _gone(ctx: StepContext, conn: Connection[Any]) -> list[DroppedRow]:
    """What this step has dropped."""
    rows = dropped.of_plan(conn, ctx.plan)
    return [row for row in rows if (row.phase, row.step) == (ctx.phase.id, ctx.step_id)]


def _told(thing: Thing) -> dict[str, Any]:
    return {
        "kind": thing.of.kind,
        "name": thing.of.name,
        "statement": thing.statement,
        "definition": thing.definition,
    }


def _evidence(row: DroppedRow, statements: str) -> Evidence:
    return Evidence(
        f"dropped:{row.label}",
        statements,
        {
            "table": row.archived,
            "rows": row.row_count,
            "bytes": row.bytes,
            "database_bytes": row.database_bytes,
            "digest": row.content,
            "definition": row.definition,
            "dependents": row.dependents,
            "backups": row.backups,
            "purpose": row.purpose,
            "basis": row.basis,
            "erased_rows": row.erased_rows,
            "archived_at": row.archived_at,
            "retain_until": row.retain_until,
            "dropped_at": row.dropped_at,
        },
    )
