"""Steps ``map`` and ``transform``: install the logs, copy in chunks, let the applier settle, go live."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.settling import settle
from lockgate.engine.strong import Seat
from lockgate.engine.sweeping import Sweeper
from lockgate.engine.workers import Task, crew
from lockgate.errors import Interrupted, PlanError, RollbackRefused
from lockgate.ledger import chunks, lease, steps
from lockgate.mapping import backfill, changelog, group, install, removal, stakes, unfit, updating
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.compiled import Compiled
from lockgate.mapping.definition import Definition, from_step
from lockgate.mapping.describe import describe
from lockgate.mapping.unfit import Unfit
from lockgate.plan.models import MapStep, Phase, TransformStep
from lockgate.script.running import between_batches, patiently, strong_lock
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

T = TypeVar("T")
Loaded = group.Group | Unfit | None
"""What a mapping that is taken back feeds: as it fits the database, as it does no more, or nothing any more."""

# Workers cut a chunk down to what the pace asks for; they cannot make it larger.
_COARSE = 4
_FINEST, _PIECES = 5_000, 24


class Runner:
    """Runs both kinds: a transform is a mapping that changes rows and never makes one."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: MapStep | TransformStep) -> None:
        """The database decides; nothing can be refused before."""

    def run(self, ctx: StepContext) -> StepResult:
        """:raises PlanError: if the mapping does not fit the database, before anything is changed."""
        definition = _definition(ctx.loaded, ctx.phase, ctx.step)
        with ctx.sessions.open("map") as conn:
            compiled = compile_mapping(conn, definition)
            _refuse_changed(conn, ctx, definition)
            target_id = patiently(ctx, conn, lambda: install.register(conn, ctx.plan, compiled))
        fault("map.registered")
        self._prepare(ctx, compiled, target_id)
        self._plan_chunks(ctx, compiled)
        fault("map.planned")
        started = ctx.clock.monotonic()
        self._copy(ctx, compiled, target_id)
        seconds = ctx.clock.monotonic() - started
        fault("map.copied")
        return self._settle(ctx, compiled, target_id, seconds)

    def describe(
        self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: MapStep | TransformStep
    ) -> list[str]:
        """What is derived from the SELECT: locks, rows, SQL."""
        return describe(conn, compile_mapping(conn, _definition(loaded, phase, step)))

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Stop the sync, and take back the rows that the mapping made."""
        name = _definition(ctx.loaded, ctx.phase, ctx.step).name
        with ctx.sessions.open("undo") as conn:
            # First of all: no worker, here or elsewhere, may add rows behind what is taken back.
            patiently(ctx, conn, lambda: _forget_chunks(conn, ctx))
            fault("undo.chunks")
            loaded = removal.load(conn, ctx.plan, name)
            target_id = self._forget(ctx, conn, name, loaded, lose_rows)
            if target_id is not None and removal.still_mapped(conn, target_id):
                # Without this mapping, its rows are found to be too many and removed.
                misfit = removal.misfit(conn, target_id)
                if misfit is not None:
                    return StepResult(f"{name}: taken out; its rows stay until the other mappings fit again ({misfit})")
                _until_settled(ctx, target_id)
                return StepResult(f"{name}: taken out; the other mappings keep its table")
            if target_id is not None:
                self._drop_logs(ctx, conn, target_id)
                with ctx.fenced(conn):
                    removal.drop_target(conn, target_id)
        if isinstance(loaded, Unfit) and loaded.astray:
            return StepResult(f"{name}: sync stopped; no rows were taken back, for {loaded.astray}")
        return StepResult(f"{name}: sync stopped, rows taken back")

    # --- forth ----------------------------------------------------------------------------------------------

    def _prepare(self, ctx: StepContext, compiled: Compiled, target_id: int) -> None:
        where = place(ctx.loaded, ctx.phase, ctx.step)
        seat = Seat()

        def locked(relation: Relation, work: install.Work) -> None:
            def attempt(conn: Connection[Any]) -> None:
                with conn.transaction():
                    lease.assert_held(conn, ctx.epoch)
                    work(conn)

            strong_lock(ctx, where, (relation.label,), seat).do(attempt)
            fault("map.logged")

        def unlocked(work: install.Work) -> None:
            with ctx.sessions.open("map") as conn:
                patiently(ctx, conn, lambda: work(conn))
            fault("map.own_rows")

        with contextlib.closing(seat):
            install.prepare(compiled, target_id, ctx.settings.log_cap, locked, unlocked)

    def _plan_chunks(self, ctx: StepContext, compiled: Compiled) -> None:
        """Cut the source into chunks, once; again if the table was rewritten, for block numbers mean nothing then."""
        with ctx.sessions.open("map") as conn:
            patiently(ctx, conn, lambda: _cut(ctx, conn, compiled))

    def _copy(self, ctx: StepContext, compiled: Compiled, target_id: int) -> None:
        where = place(ctx.loaded, ctx.phase, ctx.step)
        task = Task(ctx.step_row.id, target_id, compiled.name, ctx.epoch, where)
        while True:
            with _sweeping(ctx, compiled) as sweeper:
                crew(ctx.sessions, task, ctx.clock, ctx.health, ctx.progress, ctx.stop, sweeper).run()
            if ctx.stop.is_set():
                raise Interrupted("Stopped between two chunks", where=where, hint="`lockgate apply` goes on there.")
            with ctx.sessions.open("map") as conn:
                rewritten = backfill.file_nodes(conn, compiled) != steps.get(conn, ctx.step_row.id).detail.get("files")
                if not rewritten and not chunks.pending(conn, ctx.step_row.id):
                    return
            if rewritten:
                ctx.progress.event(f"{compiled.driving_relation.label} was rewritten: it is read again")
                self._plan_chunks(ctx, compiled)

    def _settle(self, ctx: StepContext, compiled: Compiled, target_id: int, seconds: float) -> StepResult:
        with ctx.sessions.open("map") as conn:
            loaded = group.load(conn, target_id)
            with ctx.fenced(conn):
                updating.mark_repeated(conn, loaded, compiled)
            between_batches(ctx, conn, lambda: install.go_live(conn, target_id))
            fault("map.live")
            _until_settled(ctx, target_id)
            fault("map.settled")
            if compiled.definition.sync:
                self._narrow(ctx, compiled)
                fault("map.narrowed")
            made = chunks.progress(conn, ctx.step_row.id)
            digest = chunks.digest(conn, ctx.step_row.id)
        rate = made.rows_read / seconds if seconds > 0 else 0.0
        result = {
            "chunks": made.total,
            "rows_read": made.rows_read,
            "rows_written": made.rows_written,
            "seconds": round(seconds, 3),
            "rows_per_second": round(rate),
            "chunks_digest": digest,
        }
        query = "sums over lockgate.chunks of this step; seconds by the runner's clock, in this run"
        return StepResult(
            f"{compiled.name}: {made.rows_written} rows written of {made.rows_read} yielded, in {made.total} chunks",
            facts=result,
            evidence=(Evidence(f"backfill:{compiled.name}", query, result),),
        )

    def _narrow(self, ctx: StepContext, compiled: Compiled) -> None:
        relation = compiled.driving_relation

        def attempt(conn: Connection[Any]) -> None:
            with conn.transaction():
                lease.assert_held(conn, ctx.epoch)
                changelog.narrow(conn, relation)

        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), (relation.label,)).do(attempt)

    # --- back -----------------------------------------------------------------------------------------------

    def _forget(
        self, ctx: StepContext, conn: Connection[Any], name: str, loaded: Loaded, lose_rows: bool
    ) -> int | None:
        """Take the mapping out of the ledger, and what it alone has made out of its table; the target it fed.

        None if nothing is left of it. A mapping that a killed undo has taken out has left its target's number.
        """
        if loaded is None:
            return _half_removed(conn, ctx.step_row.detail)
        target_id = loaded.target_id
        with ctx.fenced(conn):
            steps.set_state(conn, ctx.step_row.id, "running", detail={"removing": target_id})
        if isinstance(loaded, Unfit):
            if not lose_rows:
                _refuse_losses(ctx, conn, loaded, name)
            if len(loaded.mappings) == 1:
                self._take_back_unfit(ctx, conn, loaded, lose_rows)
        elif len(loaded.compiled) == 1:
            self._take_back(ctx, conn, loaded, lose_rows)
        patiently(ctx, conn, lambda: removal.forget_mapping(conn, ctx.plan, target_id, name))
        fault("undo.forgotten")
        return target_id

    def _take_back(self, ctx: StepContext, conn: Connection[Any], loaded: group.Group, lose_rows: bool) -> None:
        between_batches(ctx, conn, lambda: removal.stop_applying(conn, loaded.target_id))
        fault("undo.stopped")
        if not loaded.evaluation.updates_only:
            stakes.find_own(conn, loaded)
        _in_pieces(ctx, conn, lambda block: removal.take_back(conn, loaded, block, born_too=lose_rows))

    def _take_back_unfit(self, ctx: StepContext, conn: Connection[Any], loaded: Unfit, lose_rows: bool) -> None:
        between_batches(ctx, conn, lambda: removal.stop_applying(conn, loaded.target_id))
        fault("undo.stopped")
        _in_pieces(ctx, conn, lambda block: unfit.take_back(conn, loaded, block, lose_rows=lose_rows))

    def _drop_logs(self, ctx: StepContext, conn: Connection[Any], target_id: int) -> None:
        where = place(ctx.loaded, ctx.phase, ctx.step)
        with contextlib.closing(Seat()) as seat:
            for log in removal.unread_logs(conn, target_id):

                def attempt(on: Connection[Any], log: changelog.ChangeLog = log) -> None:
                    with on.transaction():
                        lease.assert_held(on, ctx.epoch)
                        changelog.drop(on, log)

                strong_lock(ctx, where, (log.label,), seat).do(attempt)
                fault("undo.log")


def _until_settled(ctx: StepContext, target_id: int) -> None:
    where = place(ctx.loaded, ctx.phase, ctx.step)
    settle(ctx.sessions, target_id, ctx.clock, ctx.stop, where, ctx.progress)


def _in_pieces(ctx: StepContext, conn: Connection[Any], work: Callable[[int], int | None]) -> None:
    """Do ``work`` to one piece of the table after the other: it says where the next one begins."""
    block: int | None = 0
    while block is not None:
        block = patiently(ctx, conn, partial(work, block))
        fault("undo.blocks")


def _refuse_losses(ctx: StepContext, conn: Connection[Any], loaded: Unfit, name: str) -> None:
    """:raises RollbackRefused: if rows would be lost that nobody accepted: it fitted when that was looked at."""
    if loaded.stuck([name]) is not None:
        return  # no row goes
    lost = [(rows, why) for rows, why in unfit.weigh(conn, loaded, [name], dropped=False) if rows]
    if lost:
        raise RollbackRefused(
            f"{name} fits the database no more; taking it back would lose rows of {loaded.label}",
            where=place(ctx.loaded, ctx.phase, ctx.step),
            why="; ".join(f"{rows} rows, {why}" for rows, why in lost),
            hint="Mend that, or save the rows; or say that they may be lost: `lockgate rollback --lose-rows`.",
        )


def _definition(loaded: LoadedPlan, phase: Phase, step: MapStep | TransformStep) -> Definition:
    return from_step(step, partial(place, loaded, phase, step))


def _refuse_changed(conn: Connection[Any], ctx: StepContext, definition: Definition) -> None:
    """A mapping that is at work cannot be changed under it.

    :raises PlanError: if the ledger holds another one of this name.
    """
    stored = install.stored_definition(conn, ctx.plan, definition.name)
    if stored is not None and stored.dump() != definition.dump():
        raise PlanError(
            f"mapping {definition.name} was changed after it began",
            where=definition.place(),
            hint="`lockgate rollback` this phase first, or write the old text again",
        )


def _sweeping(ctx: StepContext, compiled: Compiled) -> contextlib.AbstractContextManager[Sweeper | None]:
    """What gives the space of old row versions back, where rows are changed."""
    if not compiled.definition.updates_only:
        return contextlib.nullcontext()
    return Sweeper(ctx.sessions, compiled.target, ctx.stop)


def _cut(ctx: StepContext, conn: Connection[Any], compiled: Compiled) -> None:
    nodes = backfill.file_nodes(conn, compiled)
    if steps.get(conn, ctx.step_row.id).detail.get("files") == nodes:
        return
    chunks.clear(conn, ctx.step_row.id)
    rows = ctx.settings.chunk_rows * _COARSE
    if compiled.definition.updates_only:
        # The space of a chunk's old rows is used by the chunks after it: the table grows by a few of them.
        rows = min(rows, max(_FINEST, int(compiled.driving_relation.estimated_rows / _PIECES)))
    chunks.insert(conn, ctx.step_row.id, backfill.plan_ranges(conn, compiled, rows))
    steps.set_state(conn, ctx.step_row.id, "running", detail={"files": nodes})


def _forget_chunks(conn: Connection[Any], ctx: StepContext) -> None:
    """Forget that the source was cut: else the step, begun again, would find its chunks done and copy nothing.

    A chunk that somebody works on is waited for.
    """
    chunks.clear(conn, ctx.step_row.id)
    steps.record(conn, ctx.step_row.id, detail={"files": None})


def _half_removed(conn: Connection[Any], detail: Mapping[str, Any]) -> int | None:
    """The target of an undo that was killed after the mapping had left the ledger."""
    target_id = detail.get("removing")
    row = conn.execute("SELECT id FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    return int(row[0]) if row else None
