"""Starting with a database whose history is elsewhere, or nowhere: where does it stand?

The folder is applied on a scratch database, one migration after the other, and what the schema is after each is
compared with the real one. That replaces stamping the head and hoping.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg import Connection

from lockgate.catalog import document
from lockgate.catalog.differences import Difference, differences
from lockgate.catalog.document import Document, Object
from lockgate.engine import scratch
from lockgate.engine.context import Progress, Silent
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError
from lockgate.history import standing
from lockgate.history.base import Home, Migration, Program, Ran, Tool
from lockgate.ledger.migrations import By
from lockgate.migrating import moving, programs, running
from lockgate.migrating.desk import at_work
from lockgate.migrating.running import Files
from lockgate.plan.values import split_name

_WHOSE = frozenset({"grant", "comment"})


@dataclass(frozen=True, slots=True)
class Stand:
    """The database against the schema after one migration.

    :param migration: None: before the first one.
    :param differences: what is another thing in the database; none where it stands just there.
    """

    migration: Migration | None
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """For people."""
        return self.migration.name if self.migration is not None else "before the first one"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a database stands.

    :param stands: after each migration, the empty database first.
    :param unrecorded: the migrations up to the closest one that the history does not hold.
    :param recorded: the migrations behind it that the history holds all the same.
    """

    tool: Tool
    home: Home
    stands: tuple[Stand, ...]
    unrecorded: tuple[Migration, ...]
    recorded: tuple[Migration, ...]

    @property
    def closest(self) -> Stand:
        """The last one of those with the fewest differences."""
        return min(reversed(self.stands), key=lambda stand: len(stand.differences))


def look(
    sessions: Sessions,
    tool: Tool,
    *,
    on: str | None = None,
    before: str | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Found:
    """Say where the database stands; it is only looked at.

    :param before: SQL that makes what the first migration finds there, where that is not an empty database.
    :param on: a server on which a scratch database may be made and dropped. Default: a throw-away one of our own.
    :raises LockgateError: if a migration cannot be applied to an empty database, with its place.
    """
    progress, stop = progress or Silent(), stop or threading.Event()
    known = tool.migrations()
    with sessions.open("adopt", plan_sql=True, read_only=True) as conn:
        home = tool.home(conn)
        there = {row.version for row in tool.rows(conn, home, known)} if home.exists else set()
        real = _compared(document.read(conn, passing=False), home)
    stands = tuple(_stands(real, _Trial(tool, known, on, before, progress, stop)))
    found = Found(tool, home, stands, (), ())
    closest = [stand.migration for stand in stands].index(found.closest.migration)
    return replace(
        found,
        unrecorded=tuple(each for each in known[:closest] if each.version not in there),
        recorded=tuple(each for each in known[closest:] if each.version in there),
    )


def record(sessions: Sessions, found: Found, *, progress: Progress, stop: threading.Event) -> None:
    """Write into the history what is in the database already; nothing is run.

    :raises LockgateError: if the history changed meanwhile.
    """
    tool = found.tool
    with (
        at_work(sessions, f"history adopt of {tool.folder}", progress, stop) as desk,
        moving.opened(desk, tool, By(f"history:{tool.name}"), None) as files,
        sessions.open("adopt", plan_sql=True) as conn,
    ):
        now = standing.look(conn, tool, files.home)
        open_ = {entry.version for entry in now.entries if entry.row is None}
        if not {each.version for each in found.unrecorded} <= open_:
            raise LockgateError(
                "The history changed meanwhile", where=str(files.home), hint="Run `lockgate history adopt` again."
            )
        with desk.fenced(conn):
            conn.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
            for migration in found.unrecorded:
                ran = Ran(desk.clock.of(conn), timedelta(0))
                tool.applied(conn, files.home, migration, ran)
                running.tell(files, conn, migration, "up", None, timedelta(0), adopted=True)


@dataclass(frozen=True, slots=True)
class _Trial:
    tool: Tool
    known: Sequence[Migration]
    on: str | None
    before: str | None
    progress: Progress
    stop: threading.Event


def _stands(real: Document, trial: _Trial) -> Iterable[Stand]:
    place: AbstractContextManager[Sessions] = scratch.own() if trial.on is None else scratch.database(trial.on)
    with place as sessions:
        if trial.before is not None:
            with sessions.open("adopt", plan_sql=True) as conn:
                conn.execute(trial.before.encode())
        with (
            at_work(sessions, "history adopt", Silent(), trial.stop) as desk,
            moving.opened(desk, trial.tool, By(f"history:{trial.tool.name}"), None) as files,
        ):
            yield _stand(sessions, real, None, files.home)
            for number, migration in enumerate(trial.known):
                trial.progress.event(f"trying {migration.name} ({number + 1} of {len(trial.known)})")
                _apply(files, migration)
                yield _stand(sessions, real, migration, files.home)


def _apply(files: Files, migration: Migration) -> None:
    if isinstance(files.tool, Program):
        programs.perform(files, [migration], "up")
    else:
        running.apply(files, migration)


def _stand(sessions: Sessions, real: Document, migration: Migration | None, home: Home) -> Stand:
    with sessions.open("adopt", read_only=True) as conn:
        tried = _compared(_document(conn), home)
    return Stand(migration, tuple(each for each in differences(tried, real) if not each.note))


def _document(conn: Connection[Any]) -> Document:
    return document.read(conn, passing=False)


def _compared(whole: Document, home: Home) -> Document:
    """What of a schema its migrations decide: not who owns it, who may use it, nor the history itself."""
    history = (home.schema, home.table)
    kept = (item for item in whole.objects if item.kind not in _WHOSE and split_name(item.table or "") != history)
    return Document(tuple(_without_owner(item) for item in kept))


def _without_owner(item: Object) -> Object:
    return replace(item, properties={name: value for name, value in item.properties.items() if name != "owner"})
