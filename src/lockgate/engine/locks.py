"""Strong locks without harm: look first, wait shortly, try again, and name who is in the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import Connection

from lockgate.engine.masking import mask
from lockgate.errors import ConnectionFailed

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session, or a prepared transaction, that stands before a lock.

    :param pid: process id; 0 for a prepared transaction.
    :param age: seconds since its transaction began; None if the role may not see it.
    :param query: its latest statement with literals masked, or the prepared transaction's name.
    :param relation: what both want, as text that a query understands.
    """

    pid: int
    user: str
    application: str
    state: str
    age: float | None
    query: str
    kind: str
    relation: str | None = None

    @property
    def autovacuum(self) -> bool:
        """Whether it is an autovacuum that gives way when a session waits long enough."""
        return self.kind == "autovacuum worker" and "to prevent wraparound" not in self.query

    def __str__(self) -> str:
        age = "" if self.age is None else f", its transaction is {self.age:.0f} s old"
        on = f" on {self.relation}" if self.relation else ""
        if self.pid == 0:
            return f"prepared transaction {self.query} of user {self.user}{on}{age}"
        state = f" ({self.state})" if self.state else ""
        application = f", application {self.application}" if self.application else ""
        return f"process {self.pid}{state} of user {self.user}{application}{on}{age}: {self.query}"

    @property
    def release(self) -> str:
        """The SQL that would end it."""
        return (
            f"ROLLBACK PREPARED '{self.query}'"
            if self.pid == 0
            else f"SELECT pg_terminate_backend({self.pid})"
        )


_SESSION = """
SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8, coalesce(a.query, ''),
       coalesce(a.backend_type, '')
"""


def blockers(conn: Connection[Any], pid: int) -> list[Blocker]:
    """Who keeps process ``pid`` waiting now, oldest transaction first; empty if it does not wait."""
    wanted = conn.execute(
        "SELECT relation::regclass::text FROM pg_locks WHERE pid = %s AND NOT granted AND relation IS NOT NULL",
        (pid,),
    ).fetchone()
    relation = wanted[0] if wanted else None
    rows = conn.execute(
        f"{_SESSION} FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(%s)) ORDER BY a.xact_start",
        (pid,),
    ).fetchall()
    found = [_blocker(row, relation) for row in rows]
    prepared = conn.execute(
        "SELECT p.gid, p.owner, extract(epoch FROM clock_timestamp() - p.prepared)::float8 FROM pg_prepared_xacts p"
        " WHERE p.database = current_database() AND 0 = ANY (pg_blocking_pids(%s))",
        (pid,),
    ).fetchall()
    return found + [Blocker(0, owner, "", "", age, gid, "prepared", relation) for gid, owner, age in prepared]


def holders(conn: Connection[Any], relations: Sequence[str], older_than: float) -> list[Blocker]:
    """Sessions whose transaction is older than ``older_than`` seconds and holds any lock on one of ``relations``.

    :param relations: names as the connection's search_path understands them; unknown ones are passed over.
    """
    if not relations:
        return []
    rows = conn.execute(
        f"{_SESSION}, min(l.relation::regclass::text) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid"
        " WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND l.relation = ANY (SELECT to_regclass(n)::oid FROM unnest(%s::text[]) AS s(n))"
        " AND a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - make_interval(secs => %s)"
        " GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query, a.backend_type"
        " ORDER BY a.xact_start",
        (list(relations), older_than),
    ).fetchall()
    return [_blocker(row[:7], row[7]) for row in rows]


def still_there(conn: Connection[Any], seen: Sequence[Blocker]) -> list[Blocker]:
    """Those of ``seen`` whose transaction goes on; one whose age the role cannot see counts as gone."""
    left = []
    for blocker in seen:
        if blocker.pid == 0:
            row = conn.execute(
                "SELECT 1.0 FROM pg_prepared_xacts WHERE gid = %s", (blocker.query,)
            ).fetchone()
        else:
            row = conn.execute(
                "SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity"
                " WHERE pid = %s AND xact_start IS NOT NULL",
                (blocker.pid,),
            ).fetchone()
        if row is not None and blocker.age is not None and (blocker.pid == 0 or row[0] >= blocker.age):
            left.append(blocker)
    return left


def _blocker(row: Sequence[Any], relation: str | None) -> Blocker:
    pid, user, application, state, age, query, kind = row
    shown = mask(query)
    if shown == "< insufficient privilege >" or query == "<insufficient privilege>":
        shown = "its query is not visible to this role (GRANT pg_read_all_stats would show it)"
    return Blocker(pid, user, application, state, age, shown or "no statement yet", kind, relation)


class Watch:
    """Looks from a second connection at who blocks process ``pid``, until the block ends.

    ``seen`` holds the latest blockers; empty if the process never waited long enough to be caught.
    """

    def __init__(self, sessions: Sessions, pid: int, every: float) -> None:
        self._sessions = sessions
        self._pid = pid
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lockgate-watch", daemon=True)
        self.seen: list[Blocker] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        try:
            with self._sessions.open("watch") as conn:
                while not self._ended.wait(self._every):
                    self.seen = blockers(conn, self._pid) or self.seen
        except (psycopg.Error, ConnectionFailed):
            return  # the name of the blocker is a courtesy; the lock's own error is said anyway


def nudge_autovacuum(conn: Connection[Any], blocker: Blocker) -> None:
    """Make an autovacuum give way, which it does only for a session that waits longer than deadlock_timeout.

    Waits with a lock that neither readers nor writers queue behind.
    """
    if blocker.relation is None:
        return
    with conn.transaction():
        conn.execute(
            "SELECT set_config('lock_timeout',"
            " (extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + 500)::int::text, true)"
        )
        conn.execute(f"LOCK TABLE {blocker.relation} IN SHARE UPDATE EXCLUSIVE MODE".encode())


Work = Callable[[Connection[Any]], T]
