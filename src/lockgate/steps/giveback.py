"""The undo of a step that put another table in a table's place: that one gets its name back, with every row."""

from __future__ import annotations

from functools import partial
from typing import Any

from psycopg import Connection, errors, sql

from lockgate.catalog import relations
from lockgate.catalog.relations import Relation
from lockgate.cutover import closing, draining, record, scope, targets, wayback
from lockgate.cutover.record import Cutover
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.recording import own_role
from lockgate.errors import CheckFailed, RollbackRefused
from lockgate.indexing.notes import Notes
from lockgate.ledger import chunks, steps
from lockgate.mapping import changelog, install, removal
from lockgate.replacing import swap
from lockgate.replacing.swap import Moved, Pair
from lockgate.script.running import between_batches, strong_lock
from lockgate.steps.base import StepResult, place
from lockgate.steps.holding import await_last, drain, drop_logs, hold_all, hold_writers
from lockgate.steps.keying import drop_key, validate_keys


def known(ctx: StepContext, conn: Connection[Any]) -> tuple[Pair, Moved]:
    """What the step has noted of its tables."""
    detail = steps.get(conn, ctx.step_row.id).detail
    return Pair.load(detail["pair"]), Moved(**(detail.get("moved") or {}))


def take_back(ctx: StepContext, lose_rows: bool) -> StepResult:
    """Swap the names back, and remove all that the step has made; may be called again after a kill.

    :raises RollbackRefused: if rows or columns would be lost, and nobody said that they may be.
    """
    with ctx.sessions.open("replace") as conn:
        if not steps.get(conn, ctx.step_row.id).detail.get("pair"):
            return StepResult("nothing was made yet")
        pair, moved = known(ctx, conn)
        found = record.find(conn, ctx.plan, ctx.step_id)
        dropped = found is not None and found.state == "over" and not found.closed
        if found is not None and found.state == "over" and not dropped:
            _swap_back(ctx, conn, found, pair, moved, lose_rows)
        fault("giveback.swapped")
        _clear(ctx, conn, pair)
    if dropped:
        return StepResult(f"{ctx.step.table} stays: it is what it was before, but for the space")
    return StepResult(f"{ctx.step.table} is the table of before again")


def _swap_back(
    ctx: StepContext, conn: Connection[Any], found: Cutover, pair: Pair, moved: Moved, lose_rows: bool
) -> None:
    open_ = targets.states(conn, found.back) == {"live"}
    new = relations.read(conn, pair.new)
    if not lose_rows:
        _refuse_columns(ctx, conn, pair, new)
        if open_:
            _compare(ctx, conn, found)
        else:
            hint = f"Open the way back first: take back the phase with `close: {ctx.step_id}`."
            scope.refuse_losses(conn, found.targets, _at(ctx), hint)

    def attempt(on: Connection[Any]) -> None:
        since = draining.now(conn)
        if open_ and not lose_rows:
            drain(ctx, conn, found.back)
        begun = ctx.clock.monotonic()
        with ctx.fenced(on):
            now = record.find(on, ctx.plan, ctx.step_id)
            if now is None or now.state != "over":
                return  # the answer to the COMMIT was lost
            own_role(on)
            hold_writers(ctx, on, [new], begun)
            if open_:
                await_last(ctx, conn, found.back, begun, lose_rows=lose_rows)
            elif not lose_rows and wayback.written_since(conn, found.targets, since):
                raise errors.LockNotAvailable("the application has written since that was counted")
            on.execute(
                "SELECT FROM lockgate.sync_targets WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE",
                ([*found.targets, *found.back],),
            )
            hold_all(ctx, on, swap.locked(on, pair, pair.new, pair.named_aside()), begun)
            swap.back(on, pair, moved)
            for log in removal.unread_logs(on, *found.targets, *found.back):
                changelog.silence(on, log)
            closing.remove(on, closing.of_old(found.id), relations.read(on, pair.old))
            closing.forget(on, closing.of_old(found.id))
            targets.close(on, [*found.back, *found.targets])
            record.taken_back(on, found.id)
            fault("giveback.commit")

    strong_lock(ctx, _at(ctx), (new.sql,)).do(attempt)
    ctx.progress.event(f"{pair.schema}.{pair.name} is the table of before again")


def _refuse_columns(ctx: StepContext, conn: Connection[Any], pair: Pair, new: Relation) -> None:
    """:raises RollbackRefused: if the new table has got columns that the other has not."""
    before = relations.read(conn, pair.old)
    added = [
        column.name for column in new.columns if (of := before.column(column.name)) is None or of.type != column.type
    ]
    if added:
        raise RollbackRefused(
            f"Going back would lose columns of {new.label}: {', '.join(added)}",
            where=_at(ctx),
            why=f"{before.label} has not got them.",
            hint="Take back what made them first, or say that they may be lost: `lockgate rollback --lose-rows`.",
        )


def _compare(ctx: StepContext, conn: Connection[Any], found: Cutover) -> None:
    """Row by row, while writes go on: the table of before must hold all that has had the time to arrive.

    :raises CheckFailed: if it does not.
    """
    drain(ctx, conn, found.back)
    for target in found.back:
        compared = wayback.compare(conn, target)
        if compared.added or compared.changed:
            raise CheckFailed(
                f"{compared.table} lacks {compared.added} rows, and has {compared.changed} otherwise",
                where=_at(ctx),
                why="It is not what the new table is, and nothing is on its way.",
                hint="`lockgate status` and `lockgate doctor` show what was refused or not followed.",
            )


def _clear(ctx: StepContext, conn: Connection[Any], pair: Pair) -> None:
    """Remove mappings, logs, triggers and tables of the step's own."""
    found = record.find(conn, ctx.plan, ctx.step_id)
    forth = install.target_of(conn, ctx.plan, ctx.step_id)
    made = [*(found.back if found is not None else ()), *([forth] if forth is not None else ())]
    with ctx.fenced(conn):
        chunks.clear(conn, ctx.step_row.id)
    for target in made:
        between_batches(ctx, conn, partial(removal.stop_applying, conn, target))
    fault("giveback.stopped")
    for target in made:
        drop_logs(ctx, conn, [target])
        with ctx.fenced(conn):
            wayback.forget(conn, target)
        fault("giveback.forgotten")
    _drop_staged(ctx, conn, pair)
    drop_key(ctx, pair)
    validate_keys(ctx, conn, pair.old, "giveback.validated")
    with ctx.fenced(conn):
        if found is not None:
            record.forget(conn, found.id)
        steps.record(conn, ctx.step_row.id, detail={"pair": None, "moved": None, "files": None})
        Notes(ctx).clear(conn)


def _drop_staged(ctx: StepContext, conn: Connection[Any], pair: Pair) -> None:
    """A new table that has never had the name: all of it is a copy."""
    row = conn.execute(
        "SELECT c.relname, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.oid = %s",
        (pair.new,),
    ).fetchone()
    if row is None or row[0] != pair.staged:
        return
    staged = sql.Identifier(row[1], row[0])  # its schema may have another name by now

    def attempt(on: Connection[Any]) -> None:
        with ctx.fenced(on):
            on.execute(sql.SQL("DROP TABLE IF EXISTS {} RESTRICT").format(staged))

    strong_lock(ctx, _at(ctx), (staged.as_string(None),)).do(attempt)


def _at(ctx: StepContext) -> str:
    return place(ctx.loaded, ctx.phase, ctx.step)
