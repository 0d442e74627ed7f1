"""Where a database stands against a folder of migrations: what is applied, what is not, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from psycopg import Connection

from lockgate.history.base import Home, Migration, Row, Tool


class State(Enum):
    """How a migration stands; the value is the word for people."""

    APPLIED = "applied"
    PENDING = "pending"
    AGAIN = "to be run again"
    LATE = "out of order"
    CHANGED = "changed"
    MISSING = "missing"
    HALF = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration of the folder, of the history, or of both.

    :param blocks: whether nothing can be applied before this is put right.
    :param why: what is the matter, and what to do; empty where nothing is.
    """

    state: State
    version: str
    name: str
    migration: Migration | None
    row: Row | None
    blocks: bool = False
    why: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """All migrations in the folder's order, then those that only the history knows."""

    home: Home
    entries: tuple[Entry, ...]

    @property
    def pending(self) -> list[Migration]:
        """What would be applied, in this order."""
        wanted = {State.PENDING, State.AGAIN, State.LATE}
        return [e.migration for e in self.entries if e.state in wanted and not e.blocks and e.migration is not None]

    @property
    def blocking(self) -> list[Entry]:
        """What stands in the way of applying anything."""
        return [entry for entry in self.entries if entry.blocks]


def look(conn: Connection[Any], tool: Tool, home: Home | None = None) -> Standing:
    """Compare the folder with the database.

    :param conn: with the database's own search_path.
    :raises FolderError, HistoryError: if one of them cannot be read.
    """
    known = tool.migrations()
    home = home or tool.home(conn)
    rows = tool.rows(conn, home, known) if home.exists else ()
    return Standing(home, tuple(compare(tool, known, rows)))


def compare(tool: Tool, known: Sequence[Migration], rows: Sequence[Row]) -> Iterator[Entry]:
    """Each migration of the folder, and each of the history that the folder lacks."""
    by_version = {row.version: row for row in rows}
    last = max((n for n, each in enumerate(known) if each.version in by_version and not each.repeatable), default=-1)
    for number, migration in enumerate(known):
        row = by_version.pop(migration.version, None)
        yield _of_folder(tool, migration, row, late=number < last)
    for row in by_version.values():
        if row.state == "half":
            yield _half(tool, Entry(State.HALF, row.version, row.name, None, row, blocks=True))
            continue
        yield Entry(
            State.MISSING,
            row.version,
            row.name,
            None,
            row,
            blocks=True,
            why=f"The history says that it was applied; the folder {tool.folder} does not hold it.",
            do="Take its file back from version control. If it is gone for good, `lockgate history repair` shows "
            "what its row says, and removes it.",
        )


def _of_folder(tool: Tool, migration: Migration, row: Row | None, *, late: bool) -> Entry:
    def entry(state: State, why: str = "", do: str = "", *, blocks: bool = False) -> Entry:
        return Entry(state, migration.version, migration.name, migration, row, blocks, why, do)

    if row is None:
        return _unapplied(tool, entry, late=late and not migration.repeatable)
    if row.state == "half":
        return _half(tool, entry(State.HALF, blocks=True))
    if migration.same(row.checksum):
        return entry(State.APPLIED)
    if migration.repeatable:
        return entry(State.AGAIN, "It has changed since it was run.")
    if row.checksum in migration.other_ends:
        return entry(
            State.CHANGED,
            f"Its line ends (LF or CRLF) are not those with which it was applied, and {tool.name} calls that a change; "
            "else it is the same.",
            "Check it out with the line ends it had, and keep them: `*.sql text eol=lf` (or crlf) in .gitattributes.",
            blocks=True,
        )
    return entry(
        State.CHANGED,
        f"The file is not the one that was applied: its checksum is {migration.checksum}, that of the history is "
        f"{row.checksum}.",
        "Take the file back from version control and write what is new as a further migration. If only comments or "
        "spaces changed, `lockgate history repair` shows so and puts the checksum right.",
        blocks=True,
    )


def _half(tool: Tool, entry: Entry) -> Entry:
    why = entry.row.why if entry.row is not None else None
    return replace(
        entry,
        why=f"{tool.name} calls it half done{f': {why}' if why else ''}.",
        do="If `lockgate` was running it, run the command again: it goes on from there. If not, look what it left "
        "in the database, put that right, and say so with `lockgate history repair`.",
    )


def _unapplied(tool: Tool, entry: Any, *, late: bool) -> Entry:
    made: Entry
    if not late:
        made = entry(State.PENDING)
    elif tool.late == "applied":
        made = entry(State.LATE, "It sorts before a migration that is applied; it is applied all the same.")
    else:
        does = "refuses it" if tool.late == "refused" else "never looks at it"
        made = entry(
            State.LATE,
            f"It sorts before a migration that is applied, and {tool.name} {does}.",
            "Give it a version after the last one that is applied.",
            blocks=True,
        )
    return made
