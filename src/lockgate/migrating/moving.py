"""Bringing a history to a version, and back: what is to be run, in which order, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine.context import Working
from lockgate.engine.faults import fault
from lockgate.engine.strong import Seat
from lockgate.errors import Interrupted
from lockgate.history import standing
from lockgate.history.base import Home, Migration, Program, Tool
from lockgate.history.files import HistoryError
from lockgate.history.standing import Standing, State
from lockgate.ledger import migrations, store
from lockgate.ledger.migrations import By
from lockgate.migrating import locking, programs, references, running
from lockgate.migrating.running import Files

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions


@contextmanager
def opened(ctx: Working, tool: Tool, by: By, run_id: int | None) -> Iterator[Files]:
    """The tool's history in this database, made if it is not there, under the tool's own lock.

    :raises LockNotAcquired: if the tool itself is at work.
    """
    with ctx.sessions.open("migrate", plan_sql=True) as conn:
        home = tool.home(conn)
    with locking.held(ctx, tool, home):
        if not home.exists:
            with ctx.sessions.open("migrate") as conn, ctx.fenced(conn):
                tool.create(conn, home)
            home = replace(home, exists=True)
        seat = Seat()
        try:
            yield Files(ctx, tool, home, by, run_id, seat)
        finally:
            seat.close()


def looked(conn: Connection[Any], tool: Tool, home: Home) -> Standing:
    """How the history stands; what a killed run of ours left half done counts as to be done."""
    now = standing.look(conn, tool, home)
    if store.version(conn) is None:
        return now
    halves = {
        row.version
        for row in migrations.of_history(conn, str(home))
        if row.state == "running" and row.direction == "up"
    }
    entries = (
        replace(entry, state=State.PENDING, blocks=False, why="", do="")
        if entry.state is State.HALF and entry.version in halves
        else entry
        for entry in now.entries
    )
    return Standing(now.home, tuple(entries))


def todo(now: Standing, target: Migration | None) -> list[Migration]:
    """What is to be applied, in its order, up to and including ``target``; None: all."""
    order = [entry.version for entry in now.entries]
    until = len(order) if target is None else order.index(target.version) + 1
    return [each for each in now.pending if order.index(each.version) < until]


def refuse(tool: Tool, now: Standing) -> None:
    """:raises HistoryError: if folder and history do not fit, naming everything."""
    if now.blocking:
        raise HistoryError(
            f"The folder and the history of {tool.name} do not fit",
            where=f"{tool.folder}, {now.home}",
            why="\n".join(f"{each.name or each.version} is {each.state.value}: {each.why}" for each in now.blocking),
            hint=now.blocking[0].do,
        )


def require_scripts(tool: Tool, wanted: Sequence[Migration]) -> None:
    """:raises HistoryError: if one of them is a program that only the tool can run, and Lockgate cannot call it."""
    programs = [each for each in wanted if each.up is None and not isinstance(tool, Program)]
    if programs:
        raise HistoryError(
            f"{programs[0].name} is a program, which only {tool.name} can run",
            where=str(programs[0].path),
            why="Nothing was applied.",
            hint=f"Apply what comes before it (`lockgate history apply --to`), then let {tool.name} run it.",
        )


def foreseen(sessions: Sessions, tool: Tool, target: Migration | None) -> list[Migration]:
    """What ``bring`` would apply now; looks only.

    :raises HistoryError: if folder and history do not fit.
    """
    with sessions.open("history", plan_sql=True, read_only=True) as conn:
        home = tool.home(conn)
        now = looked(conn, tool, home)
    refuse(tool, now)
    wanted = todo(now, target)
    require_scripts(tool, wanted)
    return wanted


def bring(files: Files, target: Migration | None) -> list[Migration]:
    """Apply what is pending, up to and including ``target``; what was applied.

    :raises HistoryError: before anything is done, if folder and history do not fit.
    :raises PlanError: before anything is done, if a foreign key that would be made does not fit.
    :raises Interrupted: if the run was told to stop; what was applied stays.
    """
    with files.ctx.sessions.open("migrate", plan_sql=True) as conn:
        now = looked(conn, files.tool, files.home)
        refuse(files.tool, now)
        wanted = todo(now, target)
        require_scripts(files.tool, wanted)
        references.refuse_unfit(conn, wanted)
    if isinstance(files.tool, Program):
        programs.perform(files, wanted, "up")
        return wanted
    for migration in wanted:
        if files.ctx.stop.is_set():
            raise Interrupted(f"Stopped before {migration.name}", where=str(migration.path))
        running.apply(files, migration)
        files.ctx.progress.event(f"{migration.name}: applied")
        fault("migrate.applied")
    return wanted


def own(conn: Connection[Any], tool: Tool, home: Home, by: By) -> list[Migration]:
    """What a step has applied and nobody has taken back, or only in part, in the folder's order."""
    rows = {row.version: row for row in migrations.of_step(conn, str(home), by)}
    known = tool.migrations()
    there = _there(conn, tool, home, known)
    return [
        each
        for each in known
        if each.version in rows and (each.version in there or rows[each.version].state == "running")
    ]


def take_back(files: Files, wanted: Sequence[Migration], *, by_hand: bool) -> None:
    """Take migrations back, the last one first.

    :param wanted: in the folder's order.
    :param by_hand: whether something else takes back what has no down script: only the history is changed for it.
    """
    known = files.tool.migrations()
    with files.ctx.sessions.open("migrate", plan_sql=True) as conn:
        there = _there(conn, files.tool, files.home, known)
    for migration in reversed(wanted):
        if files.ctx.stop.is_set():
            raise Interrupted(f"Stopped before {migration.name} is taken back", where=str(migration.path))
        there.discard(migration.version)
        before = next((each for each in reversed(known) if each.version in there), None)
        if not migration.reversible and by_hand:
            running.forget(files, migration, before)
        elif isinstance(files.tool, Program):
            programs.perform(files, [migration], "down")
        else:
            running.revert(files, migration, before)
        files.ctx.progress.event(f"{migration.name}: taken back")
        fault("migrate.reverted")


def _there(conn: Connection[Any], tool: Tool, home: Home, known: Sequence[Migration]) -> set[str]:
    return {row.version for row in tool.rows(conn, home, known)} if home.exists else set()
