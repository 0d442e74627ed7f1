"""Putting a history right: what would change in it is shown before anything is."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection, sql

from lockgate.engine.context import Progress
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError, UsageError
from lockgate.history import standing
from lockgate.history.base import Checksummed, Home, Migration, Ran, Tool
from lockgate.history.standing import Entry, State
from lockgate.ledger import migrations, store
from lockgate.ledger.migrations import By
from lockgate.migrating import moving
from lockgate.migrating.desk import at_work
from lockgate.sql.meaning import same_statements


@dataclass(frozen=True, slots=True)
class Said:
    """What a person knows that no program can: versions, by what is true of them.

    :param accepted: changed files that are right as they are now.
    :param applied: half done ones whose rest was done by hand.
    :param reverted: half done ones, or ones that the folder lacks, whose effect is not in the database any more.
    """

    accepted: Collection[str] = ()
    applied: Collection[str] = ()
    reverted: Collection[str] = ()

    def __iter__(self) -> Iterator[str]:
        yield from (*self.accepted, *self.applied, *self.reverted)


@dataclass(frozen=True, slots=True)
class Mending:
    """One thing that is put right.

    :param why: why that is known to be right.
    """

    entry: Entry
    to: State
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the history, as JSON values; None where there is none."""

    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done.

    :param left: what is wrong, and needs a word from somebody who knows.
    :param changes: of the history's rows.
    """

    home: Home
    mendings: tuple[Mending, ...]
    left: tuple[Entry, ...]
    changes: tuple[Change, ...]


def propose(sessions: Sessions, tool: Tool, said: Said) -> Proposal:
    """What would be put right; the history is changed in a transaction that is rolled back.

    :raises UsageError: for a version that has nothing wrong of that kind.
    """
    with sessions.open("repair", plan_sql=True) as conn:
        now = standing.look(conn, tool)
        scripts = _scripts(conn, now.home)
        mendings = tuple(_mendings(tool, now.blocking, scripts, said))
        with conn.transaction(force_rollback=True):
            before = _content(conn, now.home)
            _mend(conn, tool, now.home, mendings)
            changes = _changes(before, _content(conn, now.home))
    settled = {mending.entry.version for mending in mendings}
    left = tuple(entry for entry in now.blocking if entry.version not in settled)
    return Proposal(now.home, mendings, left, changes)


def mend(
    sessions: Sessions, tool: Tool, said: Said, wanted: Proposal, progress: Progress, stop: threading.Event
) -> None:
    """Do what was proposed.

    :raises LockgateError: if something else would be done by now.
    """
    with (
        at_work(sessions, f"history repair of {tool.folder}", progress, stop) as desk,
        moving.opened(desk, tool, By(f"history:{tool.name}"), None),
    ):
        now = propose(sessions, tool, said)
        if now.mendings != wanted.mendings:
            raise LockgateError("The history changed meanwhile", where=str(now.home), hint="Look again.")
        with sessions.open("repair", plan_sql=True) as conn, desk.fenced(conn):
            _mend(conn, tool, now.home, now.mendings)


def _scripts(conn: Connection[Any], home: Home) -> dict[str, str]:
    """The texts that Lockgate ran, by version."""
    if store.version(conn) is None:
        return {}
    ran = migrations.of_history(conn, str(home))
    return {row.version: row.script for row in ran if row.script is not None and row.direction == "up"}


def _mendings(tool: Tool, wrong: Sequence[Entry], scripts: dict[str, str], said: Said) -> Iterator[Mending]:
    unknown = set(said) - {entry.version for entry in wrong}
    if unknown:
        raise UsageError(
            f"Nothing is wrong with {', '.join(sorted(unknown))}",
            where=str(tool.folder),
            hint="`lockgate history status` says what is.",
        )
    for entry in wrong:
        mending = _of(entry, scripts.get(entry.version), said)
        if mending is not None:
            yield mending


def _of(entry: Entry, ran: str | None, said: Said) -> Mending | None:
    match entry.state:
        case State.CHANGED if entry.version in said.accepted:
            return Mending(entry, State.APPLIED, "you say that the file is right as it is")
        case State.CHANGED if entry.migration is not None and entry.migration.up is not None and ran is not None:
            if same_statements(ran, entry.migration.up.text):
                return Mending(entry, State.APPLIED, "its statements are those that ran: comments or spaces changed")
        case State.HALF if entry.version in said.applied and entry.migration is not None:
            return Mending(entry, State.APPLIED, "you say that all of it is done")
        case State.HALF | State.MISSING if entry.version in said.reverted:
            return Mending(entry, State.PENDING, "you say that nothing of it is there")
        case _ if entry.version in said:
            raise UsageError(
                f"{entry.name or entry.version} is {entry.state.value}, which this does not settle",
                hint="--accept is for changed files, --applied for half done ones, --reverted for both those and "
                "ones that the folder lacks.",
            )
    return None


def _mend(conn: Connection[Any], tool: Tool, home: Home, mendings: Sequence[Mending]) -> None:
    conn.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
    known = tool.migrations()
    for mending in mendings:
        entry = mending.entry
        there = {row.version for row in tool.rows(conn, home, known)} - {entry.version}
        before = next((each for each in reversed(known) if each.version in there), None)
        if mending.to is State.PENDING:
            tool.reverted(conn, home, entry.migration or _absent(tool, entry), before)
        elif entry.state is State.CHANGED:
            assert isinstance(tool, Checksummed), "only such a tool calls a file changed"
            assert entry.migration is not None
            tool.correct(conn, home, entry.migration)
        else:
            assert entry.migration is not None
            row = conn.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
            assert row is not None
            tool.applied(conn, home, entry.migration, Ran(row[0], timedelta(0)))


def _absent(tool: Tool, entry: Entry) -> Migration:
    return Migration(entry.version, entry.name, tool.folder, None)


def _content(conn: Connection[Any], home: Home) -> list[dict[str, Any]]:
    rows = conn.execute(sql.SQL("SELECT pg_catalog.to_jsonb(h) FROM {} AS h").format(home.named))
    return [dict(row[0]) for row in rows]


def _changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[Change, ...]:
    """Rows that are in one only, paired where they agree in most columns."""
    gone = [row for row in before if row not in after]
    come = [row for row in after if row not in before]
    found: list[Change] = []
    for old in sorted(gone, key=json.dumps):
        new = max(come, key=lambda row: _alike(old, row), default=None)
        if new is not None and _alike(old, new) * 2 >= len(old):
            come.remove(new)
            found.append(Change(old, new))
        else:
            found.append(Change(old, None))
    return (*found, *(Change(None, row) for row in come))


def _alike(one: dict[str, Any], other: dict[str, Any]) -> int:
    return sum(other.get(name) == value for name, value in one.items())
