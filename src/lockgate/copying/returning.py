"""Taking a copy back: what was written here since goes to the other database or is given up, and the copied rows go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.copying import carrying, stakes, writing
from lockgate.copying.carrying import Carried
from lockgate.copying.definition import Definition
from lockgate.copying.order import foreign_keys, parents_first
from lockgate.copying.stakes import Stake
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import LockgateError, RollbackRefused
from lockgate.ledger import chunks, copies, steps
from lockgate.ledger.copies import CopyRow
from lockgate.mapping import blocks
from lockgate.script.running import patiently, strong_lock
from lockgate.steps.base import place


def save(ctx: StepContext, conn: Connection[Any], definition: Definition, copy: CopyRow, lose_rows: bool) -> str:
    """Take what was written here since to the other database; in words, what became of it.

    :raises RollbackRefused: if that cannot be done, and nobody said that it may be lost.
    """
    if copy.removing:
        return "what was written here was seen to before"
    found = stakes.weigh(conn, copy)
    if not any(stake.touched for stake in found):
        return "nothing was written here since"
    if definition.step.back is None:
        if not lose_rows:
            raise RollbackRefused(
                f"Taking back {definition.name} would lose what was written here since",
                where=definition.place(),
                why="; ".join(stake.words for stake in found if stake.touched),
                hint="Save the rows, or say that they may be lost: `lockgate rollback --lose-rows`.",
            )
        return "what was written here since is given up"
    try:
        done = _carry(ctx, definition, copy, [stake.table for stake in found])
    except LockgateError as error:
        if not lose_rows:
            raise
        return f"what was written here since is given up ({error.what})"
    return f"{done.written} rows taken to the other database, {done.removed} removed there"


def follow_again(
    ctx: StepContext, conn: Connection[Any], definition: Definition, copy: CopyRow, lose_rows: bool
) -> None:
    """Leave the rows here, to be what they are there: those that were written since are there, or given up.

    :raises RollbackRefused: if rows were written meanwhile.
    """
    found = [stake for stake in stakes.weigh(conn, copy) if stake.touched]
    if found and not lose_rows:
        raise RollbackRefused(
            "Rows were written here while the copy was taken back",
            where=definition.place(),
            why="; ".join(stake.words for stake in found),
            hint="Stop the application's writers, then run the command again: it takes them to the other database.",
        )
    for stake in found:
        patiently(ctx, conn, partial(_adopt, conn, copy, stake))
        fault("copy.adopted")


def remove(ctx: StepContext, conn: Connection[Any], copy: CopyRow, others_too: bool) -> int:
    """Remove the copy's rows, children first, and those that were written since where they may go; how many.

    :raises RollbackRefused: if rows were written meanwhile, which stay.
    """
    where = place(ctx.loaded, ctx.phase, ctx.step)
    found = stakes.weigh(conn, copy)
    patiently(ctx, conn, partial(_expect_none, ctx, conn, copy, found))
    removed = 0
    groups, _ = parents_first(conn, [stake.table for stake in found], where)
    for group in reversed(groups):
        block: int | None = 0
        while block is not None:
            count, block = patiently(ctx, conn, partial(_remove_piece, conn, copy, group, block, others_too))
            removed += count
            fault("copy.taken_back")
    left = [stake for stake in stakes.weigh(conn, copy) if stake.since]
    if left:
        raise RollbackRefused(
            "Rows were written here while the copy was taken back",
            where=where,
            why="; ".join(f"{stake.since} rows of {stake.table.label}" for stake in left),
            hint="They are still here: save them, then `lockgate rollback --lose-rows`.",
        )
    return removed


def _carry(ctx: StepContext, definition: Definition, copy: CopyRow, tables: Sequence[Relation]) -> Carried:
    names = [table.sql for table in tables]
    with definition.way_back(ctx.loaded, ctx.clock, ctx.progress, ctx.stop) as back:
        with ctx.sessions.open("carry") as conn, back.transaction() as there:
            # The most of it without a lock; what is written meanwhile follows under the lock.
            first = carrying.carry(ctx, conn, there, definition, copy)
        fault("carry.first")

        def attempt(conn: Connection[Any]) -> Carried:
            with ctx.fenced(conn):
                conn.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
                conn.execute(f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE".encode())
                with back.transaction() as there:
                    done = carrying.carry(ctx, conn, there, definition, copy)
                fault("carry.committed")
                # What is there now is the copy's own; whatever somebody writes from here on is told from it.
                for stake in stakes.weigh(conn, copy):
                    _adopt(conn, copy, stake)
                return done

        last = strong_lock(ctx, definition.place(), names).do(attempt)
    fault("carry.done")
    return Carried(first.written + last.written, first.removed + last.removed)


def _adopt(conn: Connection[Any], copy: CopyRow, stake: Stake) -> None:
    """Make rows that somebody has written the copy's own: writing a row as it is puts the open transaction on it."""
    columns = [column for column in stake.table.columns if not column.generated and column.identity != "a"]
    count = 0
    if columns:
        copy.wrote(conn, stake.table.oid)
        name = columns[0].sql
        query = f"UPDATE {stakes.from_item(stake.table)} AS t SET {name} = {name} WHERE "
        with writing.silenced(conn, [stake.table.oid], silent=True):
            count = conn.execute((query + copy.since("t", stake.table.oid)).encode()).rowcount
    copies.own(conn, copy.id, stake.table.oid, stake.own + count)


def _expect_none(ctx: StepContext, conn: Connection[Any], copy: CopyRow, found: Sequence[Stake]) -> None:
    """Nobody may take the rows that are removed now for ones that the application has deleted."""
    copies.removing(conn, copy.id)
    for stake in found:
        copies.own(conn, copy.id, stake.table.oid, 0)
    chunks.clear(conn, ctx.step_row.id)
    steps.record(conn, ctx.step_row.id, detail={"cut": None})


def _remove_piece(
    conn: Connection[Any], copy: CopyRow, group: Sequence[Relation], block: int, others_too: bool
) -> tuple[int, int | None]:
    """Remove rows of some blocks; of tables that refer to themselves or to each other, of all. And the next block."""
    keys = foreign_keys(conn, [table.oid for table in group])
    together = len(group) > 1 or any(key.parent == key.child for key in keys)
    if len(group) > 1:
        conn.execute("SET CONSTRAINTS ALL DEFERRED")
    count = 0
    for table in reversed(group):
        goes = copy.own("t", table.oid)
        if others_too:
            goes = f"({goes} OR {copy.since('t', table.oid)})"
        where = goes if together else f"{blocks.place(block)} AND {goes}"
        count += conn.execute(f"DELETE FROM {stakes.from_item(table)} AS t WHERE {where}".encode()).rowcount
    return count, None if together else blocks.following(conn, group[0], block)
