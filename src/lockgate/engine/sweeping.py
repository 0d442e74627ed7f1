"""Giving the space of old row versions back while rows are changed, so that a table does not grow to twice its size."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions

_LEAST = 10_000
# The share of the rows after whose change the space is worth a look.
_SHARE = 16
# Seconds between two looks whether it is to stop.
_LOOK = 0.2


class Sweeper:
    """Runs VACUUM on one table each time a share of its rows was changed, in a thread of its own.

    It is a help and no duty: without the privilege, or while somebody else has the table, the server skips it.
    The entries of indexes wait for the last time, for each look at them goes over whole indexes.

    It gives way: VACUUM is cancelled when somebody waits for its lock, as that of the server's own daemon would be,
    and begun again after the next share. As a context manager: at the end it vacuums once more, with the indexes,
    unless ``stop`` was set.
    """

    def __init__(self, sessions: Sessions, table: Relation, stop: threading.Event) -> None:
        self._sessions = sessions
        self._table = table
        self._stop = stop
        self._every = max(_LEAST, table.estimated_rows / _SHARE)
        self._changed = 0
        self._all = 0
        self._due = threading.Condition()
        self._ended = False
        self._failed = threading.Event()
        self._busy: Connection[Any] | None = None
        self._sweeping = threading.Thread(target=self._sweep, name="lockgate-sweeper", daemon=True)
        self._guarding = threading.Thread(target=self._guard, name="lockgate-sweeper-guard", daemon=True)

    def changed(self, rows: int) -> None:
        """So many rows were changed."""
        with self._due:
            self._changed += rows
            self._all += rows
            if self._changed >= self._every:
                self._due.notify()

    def __enter__(self) -> Sweeper:
        self._sweeping.start()
        self._guarding.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._failed.set()
        with self._due:
            self._ended = True
            self._due.notify()
        self._sweeping.join()
        self._guarding.join()

    # --- the work -------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        with contextlib.suppress(psycopg.Error, LockgateError), self._sessions.open("vacuum") as conn:
            if self._sessions.settings.max_latency is not None:
                conn.execute("SET vacuum_cost_delay = '2ms'")
            while self._wait():
                self._vacuum(conn, indexes=False)
            if self._all >= self._every and not self._unwanted():
                self._vacuum(conn, indexes=True)

    def _wait(self) -> bool:
        """Wait until enough was changed; False when the work has ended."""
        with self._due:
            self._due.wait_for(lambda: self._ended or self._changed >= self._every)
            self._changed = 0
            return not self._ended

    def _vacuum(self, conn: Connection[Any], *, indexes: bool) -> None:
        cleanup = "AUTO" if indexes else "OFF"
        # Cutting the end of the table off would take a lock that readers wait behind.
        options = f"SKIP_LOCKED, TRUNCATE false, PARALLEL 0, INDEX_CLEANUP {cleanup}"
        self._busy = conn
        try:
            with contextlib.suppress(psycopg.errors.QueryCanceled):
                conn.execute(f"VACUUM ({options}) {self._table.sql}".encode())
        finally:
            self._busy = None

    # --- giving way -----------------------------------------------------------------------------------------

    def _guard(self) -> None:
        """Cancel VACUUM while it runs and should not."""
        with contextlib.ExitStack() as stack:
            conn: Connection[Any] | None = None
            while self._sweeping.is_alive():
                self._sweeping.join(_LOOK)
                busy = self._busy
                if busy is None:
                    continue
                with contextlib.suppress(psycopg.Error, LockgateError):
                    if not self._unwanted():
                        if conn is None or conn.closed:
                            conn = stack.enter_context(self._sessions.open("vacuum", read_only=True))
                        if not _awaited(conn, busy.info.backend_pid):
                            continue
                    busy.cancel_safe(timeout=5)

    def _unwanted(self) -> bool:
        return self._stop.is_set() or self._failed.is_set()


def _awaited(conn: Connection[Any], pid: int) -> bool:
    """Whether somebody waits for a lock that a session holds."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE NOT l.granted AND l.locktype = 'relation' "
        "AND %s = ANY (pg_catalog.pg_blocking_pids(l.pid)))",
        (pid,),
    ).fetchone()
    return bool(row and row[0])
