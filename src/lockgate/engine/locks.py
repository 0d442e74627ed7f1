"""Who stands before a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import class_row

from lockgate.engine import queries
from lockgate.engine.masking import mask
from lockgate.errors import ConnectionFailed

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions

_HIDDEN = "<insufficient privilege>"
STANDING = "standing"
"""The purpose of connections on which standing checks run: they give way to a runner that needs a lock."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session, or a prepared transaction, that stands before a lock.

    :param pid: process id; 0 for a prepared transaction.
    :param since: when its transaction began; None if the role may not see it.
    :param age: seconds since then.
    :param query: its latest statement as the server shows it, or the prepared transaction's name.
    :param kind: ``backend_type``, or ``prepared``.
    :param relation: what both want, quoted where needed.
    :param database: where it is, if that may be another one.
    """

    pid: int
    user: str
    application: str
    state: str
    since: datetime | None
    age: float | None
    query: str
    kind: str
    relation: str | None
    database: str = ""

    @property
    def autovacuum(self) -> bool:
        """Whether it is an autovacuum that gives way when a session waits long enough."""
        return self.kind == "autovacuum worker" and "to prevent wraparound" not in self.query

    @property
    def statement(self) -> str:
        """Its latest statement without any value."""
        if self.query == _HIDDEN:
            return "its query is not visible to this role (GRANT pg_read_all_stats would show it)"
        return mask(self.query) or "no statement yet"

    @property
    def release(self) -> str:
        """The SQL that would end it."""
        return f"ROLLBACK PREPARED '{self.query}'" if self.pid == 0 else f"SELECT pg_terminate_backend({self.pid})"

    def __str__(self) -> str:
        age = "" if self.age is None else f", transaction {self.age:.0f} s old"
        on = f" on {self.relation}" if self.relation else ""
        on += f" in database {self.database}" if self.database else ""
        if self.pid == 0:
            return f"prepared transaction {self.query!r} of user {self.user}{on}{age}"
        details = ", ".join(filter(None, (self.state, self.kind if self.kind != "client backend" else "")))
        who = f"process {self.pid}{f' ({details})' if details else ''} of user {self.user or '?'}"
        application = f", application {self.application}" if self.application else ""
        return f"{who}{application}{on}{age}: {self.statement}"


def blockers(conn: Connection[Any], pid: int) -> list[Blocker]:
    """Who keeps process ``pid`` waiting now, oldest transaction first; empty if it does not wait."""
    with conn.cursor(row_factory=class_row(Blocker)) as cursor:
        return cursor.execute(queries.load("blockers"), {"pid": pid}).fetchall()


def holders(conn: Connection[Any], relations: Sequence[str], older_than: float) -> list[Blocker]:
    """Sessions whose transaction is older than ``older_than`` seconds and holds a lock on one of ``relations``.

    :param relations: names as the connection's search_path understands them; unknown ones are passed over.
    """
    if not relations:
        return []
    with conn.cursor(row_factory=class_row(Blocker)) as cursor:
        values = {"relations": list(relations), "older_than": older_than}
        return cursor.execute(queries.load("holders"), values).fetchall()


def holding_back(conn: Connection[Any], older_than: float = 1.0) -> Blocker | None:
    """The transaction, of any database of the server, that everything waits for which must see all older ones ended.

    :param older_than: seconds; a younger one is about to end by itself.
    """
    with conn.cursor(row_factory=class_row(Blocker)) as cursor:
        return cursor.execute(queries.load("holding_back"), {"older_than": older_than}).fetchone()


def still_there(conn: Connection[Any], seen: Sequence[Blocker]) -> list[Blocker]:
    """Those of ``seen`` whose transaction goes on; one whose start the role cannot see counts as gone."""
    known = [blocker for blocker in seen if blocker.since is not None]
    if not known:
        return []
    rows = conn.execute(
        queries.load("still_there"),
        {
            "pids": [b.pid for b in known],
            "sinces": [b.since for b in known],
            "queries": [b.query for b in known],
        },
    ).fetchall()
    left = set(rows)
    return [blocker for blocker in known if (blocker.pid, blocker.since) in left]


def nudge_autovacuum(conn: Connection[Any], relation: str) -> None:
    """Make an autovacuum of ``relation`` give way, as it does for a session that waits past deadlock_timeout.

    The lock that is waited for is one that neither readers nor writers queue behind.

    :param relation: the name as the server quotes it.
    :raises psycopg.errors.LockNotAvailable: if something else is in the way too.
    """
    with conn.transaction():
        row = conn.execute(
            "SELECT set_config('lock_timeout', setting::int + 500 || 'ms', true)"
            " FROM pg_settings WHERE name = 'deadlock_timeout'"
        ).fetchone()
        assert row is not None
        names = conn.execute("SELECT parse_ident(%s)", (relation,)).fetchone()
        assert names is not None
        conn.execute(sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE").format(sql.Identifier(*names[0])))


def send_away(conn: Connection[Any], found: Sequence[Blocker]) -> list[Blocker]:
    """Cancel those of ``found`` that are standing checks of ours, which are made again; the others are the answer."""
    ours = [blocker for blocker in found if blocker.application == f"lockgate:{STANDING}"]
    left = [blocker for blocker in found if blocker not in ours]
    for blocker in ours:
        try:
            conn.execute("SELECT pg_catalog.pg_cancel_backend(%s)", (blocker.pid,))
        except psycopg.errors.InsufficientPrivilege:  # another role makes them, and their time ends them
            left.append(blocker)
    return left


class Watch:
    """Looks from a second connection at who blocks ``conn``, until the block ends.

    ``seen`` holds the latest blockers; empty if the process never waited long enough to be caught.
    ``cancelled`` says whether the statement was cancelled because of ``stop``.

    :param every: seconds between two looks.
    :param tell: called with the blockers when they change, in the watching thread.
    :param stop: when it is set, the statement that runs on ``conn`` is cancelled.
    """

    def __init__(
        self,
        sessions: Sessions,
        conn: Connection[Any],
        every: float,
        *,
        tell: Callable[[list[Blocker]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._sessions = sessions
        self._conn = conn
        self._every = every
        self._tell = tell
        self._stop = stop
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lockgate-watch", daemon=True)
        self.seen: list[Blocker] = []
        self.cancelled = False

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        told: list[int] = []
        if self._ended.wait(self._every):
            return  # most of what is watched ends at once, and needs no second connection
        try:
            with self._sessions.open("watch", plan_sql=True) as watching:
                while True:
                    if self._stop is not None and self._stop.is_set():
                        self.cancelled = True
                        self._conn.cancel_safe(timeout=5)
                    else:
                        told = self._look_once(watching, told)
                    if self._ended.wait(self._every):
                        return
        except (psycopg.Error, ConnectionFailed):
            return  # naming the blocker is a courtesy; that the lock was not had is said anyway

    def _look_once(self, watching: Connection[Any], told: list[int]) -> list[int]:
        """:param told: the processes that were told of; so is the answer."""
        found = blockers(watching, self._conn.info.backend_pid)
        self.seen = found or self.seen
        now = [blocker.pid for blocker in found]
        if self._tell is not None and now != told:
            self._tell(found)
        return now
