"""Holding up the application's writers for a moment, when all that they have written before has arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import Connection, errors

from lockgate.catalog.relations import Relation
from lockgate.cutover import draining
from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.settling import refuse_trouble
from lockgate.errors import CheckFailed, DatabaseError, Interrupted
from lockgate.mapping import changelog, group, install, removal
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.group import Group
from lockgate.plan.models import CutoverStep, ReplacingStep
from lockgate.script.located import allowed
from lockgate.script.running import execute, strong_lock
from lockgate.sql.tree import literal
from lockgate.steps.base import place

# Seconds between two looks whether the last changes have arrived: while nobody is held up, and while writers are.
_CALM, _POLL = 0.05, 0.01
# Seconds after which a person wonders what is waited for.
_PATIENCE = 2.0
# Seconds within which a row that is refused is tried again, and again.
_TRIED_AGAIN = 10.0


def drain(ctx: StepContext, conn: Connection[Any], of: Sequence[int]) -> None:
    """Wait until all that is committed now is applied; nobody is held up.

    A row may be refused for a moment, until the one that it refers to has arrived.

    :raises CheckFailed: if a target goes on refusing keys: what they should be would be lost.
    :raises DatabaseError: if the changes of a target cannot be applied.
    :raises Interrupted: when told to stop.
    """
    where = place(ctx.loaded, ctx.phase, ctx.step)
    due = ctx.clock.monotonic() + _PATIENCE
    told = False

    def pause() -> bool:
        nonlocal told
        for target in of:
            refuse_trouble(conn, target, where)
        if ctx.clock.monotonic() > due and not told:
            told = True
            ctx.progress.waiting("waits until the last changes are applied; nobody is held up", "lockgate status")
        if ctx.clock.wait(ctx.stop, _CALM):
            raise Interrupted("Stopped while the last changes were applied", where=where)
        return True

    try:
        draining.drained(conn, of, pause)
        end = ctx.clock.monotonic() + _TRIED_AGAIN
        while draining.refused(conn, of, for_good=False) and ctx.clock.monotonic() < end:
            if draining.refused(conn, of, for_good=True):
                break
            pause()
    finally:
        if told:
            ctx.progress.waiting("", "")
    refused = draining.refused(conn, of, for_good=True)
    if refused:
        raise CheckFailed(
            "Tables refuse rows that they should have",
            where=where,
            why="; ".join(f"{name}: {count} keys" for name, count in refused),
            hint="SELECT key, error FROM lockgate.poison says which and why; mend the data or the mapping.",
        )


def await_last(
    ctx: StepContext, conn: Connection[Any], of: Sequence[int], begun: float, *, lose_rows: bool = False
) -> None:
    """Wait until all has arrived, while writers are held up.

    :param lose_rows: what is refused may be lost, and what does not arrive in half of the time.
    :raises errors.LockNotAvailable: when they have waited for long enough; to be tried again.
    """
    longest = _hold(ctx) / 2 if lose_rows else _hold(ctx)

    def pause() -> bool:
        ctx.clock.wait(ctx.stop, _POLL)
        return not ctx.stop.is_set() and ctx.clock.monotonic() - begun < longest

    arrived = draining.drained(conn, of, pause)
    while arrived and not lose_rows and draining.refused(conn, of, for_good=False):
        arrived = pause()
    if not arrived and not lose_rows:
        raise errors.LockNotAvailable("the last changes did not arrive in time")


def hold_writers(ctx: StepContext, conn: Connection[Any], tables: Sequence[Relation], begun: float) -> None:
    """Lock the tables against writers, in this order, in the open transaction.

    :raises errors.LockNotAvailable: if the time is up before all are had.
    """
    for table in tables:
        _limit(ctx, conn, begun)
        conn.execute(f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE".encode())


def hold_all(ctx: StepContext, conn: Connection[Any], names: Sequence[str], begun: float) -> None:
    """Lock tables against everybody, in this order, in the open transaction.

    :param names: in SQL.
    :raises errors.LockNotAvailable: if the time is up before all are had.
    """
    for name in names:
        _limit(ctx, conn, begun)
        conn.execute(f"LOCK TABLE ONLY {name} IN ACCESS EXCLUSIVE MODE".encode())
    _limit(ctx, conn, begun)


def switch(ctx: StepContext, conn: Connection[Any], text: str, part: str, begun: float) -> None:
    """Run what tells the application which model is the one, while writers are held up.

    :param part: where it stands in the step.
    :raises errors.LockNotAvailable: to be tried again: a row that it changes is held by somebody.
    :raises DatabaseError: if it fails, or takes longer than writers may be held up.
    """
    for item in allowed(text, partial(place, ctx.loaded, ctx.phase, ctx.step, part)):
        left = _limit(ctx, conn, begun)
        conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (f"{round(left * 1000)}ms",))
        try:
            execute(conn, item)
        except DatabaseError as error:
            if isinstance(error.__cause__, errors.QueryCanceled):
                error.hint = "Writers wait for it meanwhile: let it only say which model is the one, or raise `hold`."
            raise
    conn.execute("SELECT pg_catalog.set_config('statement_timeout', '0', true)")
    recording.own_role(conn)


def _limit(ctx: StepContext, conn: Connection[Any], begun: float) -> float:
    """Let no wait for a lock last until the server looks for deadlocks: it might cancel the application's transaction.

    :return: how many seconds writers may be held up still.
    """
    row = conn.execute("SELECT extract(epoch FROM pg_catalog.current_setting('deadlock_timeout')::interval)").fetchone()
    assert row is not None
    passed = ctx.clock.monotonic() - begun
    left = _hold(ctx) - passed
    if left <= 0:
        raise errors.LockNotAvailable("the tables were not had together in time")
    longest = min(ctx.settings.lock_timeout.total_seconds(), left, max(0.001, float(row[0]) * 0.9 - passed))
    conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (f"{max(1, round(longest * 1000))}ms",))
    return max(0.001, left)


@dataclass(frozen=True, slots=True)
class Numbering:
    """A sequence, and the column that it numbers; as SQL."""

    name: str
    table: str
    column: str


def sequences(conn: Connection[Any], loaded: Group) -> list[Numbering]:
    """The sequences of columns that mappings have filled, and in which no number may stand twice."""
    target = loaded.evaluation.target
    unique = {index.columns[0] for index in target.indexes if index.is_unique and index.columns}
    filled = [column for column in loaded.compiled[0].outputs if column.name in unique]
    found = []
    for column in filled:
        row = conn.execute("SELECT pg_catalog.pg_get_serial_sequence(%s, %s)", (target.sql, column.name)).fetchone()
        if row is not None and row[0] is not None:
            found.append(Numbering(str(row[0]), target.sql, column.sql))
    return found


def set_sequences(conn: Connection[Any], of: Iterable[Numbering]) -> None:
    """Let sequences go on behind what stands in their columns, in the open transaction that switches."""
    for each in of:
        conn.execute(
            f"SELECT pg_catalog.setval({literal(each.name)}::regclass, m.most) "
            f"FROM (SELECT max({each.column}) AS most FROM {each.table}) AS m, {each.name} AS s "
            "WHERE m.most > s.last_value".encode()
        )


def _hold(ctx: StepContext) -> float:
    step: CutoverStep | ReplacingStep = ctx.step
    return step.hold.total_seconds()


def log_all(ctx: StepContext, conn: Connection[Any], of: Sequence[int]) -> None:
    """Log what the targets read, and what is written to them, by one strong lock after the other."""

    def locked(relation: Relation, work: install.Work) -> None:
        def attempt(on: Connection[Any]) -> None:
            with ctx.fenced(on):
                work(on)

        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), (relation.sql,)).do(attempt)
        fault("cutover.logged")

    for target in of:
        install.log_all(group.load(conn, target).compiled, target, ctx.settings.log_cap, locked)


def drop_logs(ctx: StepContext, conn: Connection[Any], of: Sequence[int], keep: Sequence[ChangeLog] = ()) -> None:
    """Drop the logs that only these targets read, each by one strong lock."""
    for log in removal.unread_logs(conn, *of):
        if log in keep:
            continue

        def attempt(on: Connection[Any], log: ChangeLog = log) -> None:
            with ctx.fenced(on):
                changelog.drop(on, log)

        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), (log.label,)).do(attempt)
        fault("cutover.log")
