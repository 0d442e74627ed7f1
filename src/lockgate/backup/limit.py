"""How long a backup's snapshot may be held: while it is, no VACUUM removes a row that died since."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta
from types import TracebackType
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.backup.clients import Running
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.errors import LockgateError

WARN_AFTER = timedelta(minutes=5)
_EVERY = 1.0


class Limit:
    """Watches the age of a snapshot until the block ends: says when it is old, and ends the work at its limit.

    :param conn: the connection that holds it.
    :param longest: how old it may become; None: any age.
    """

    def __init__(self, conn: Connection[Any], longest: timedelta | None, clock: Clock, progress: Progress) -> None:
        self._conn = conn
        self._longest = longest
        self._clock = clock
        self._progress = progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lockgate-backup-limit", daemon=True)
        self._clients: list[Running] = []
        self._reached = False

    def __enter__(self) -> Limit:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        :raises LockgateError: when the limit was reached, whatever the work was ended with.
        """
        self._ended.set()
        self._thread.join()
        if self._reached and isinstance(error, LockgateError | psycopg.Error):  # without one it was done just then
            raise LockgateError(
                f"The backup was not done after {self._longest}, and was ended; nothing is left of it",
                why="While its snapshot is held, VACUUM cannot remove rows that died since.",
                hint="Give it longer (--max-time), take fewer tables (--tables), more --jobs, "
                "or take it from a replica (--from).",
            ) from error

    def ends(self, client: Running) -> None:
        """Have a client ended, too, when the limit is reached."""
        self._clients.append(client)

    def _watch(self) -> None:
        began = self._clock.monotonic()
        warn_at = WARN_AFTER
        while not self._clock.wait(self._ended, _EVERY):
            age = timedelta(seconds=self._clock.monotonic() - began)
            if self._longest is not None and age >= self._longest:
                self._reached = True
                self._end()
            elif age >= warn_at:
                self._progress.event(
                    f"the backup's snapshot is {warn_at // timedelta(minutes=1)} min old: until it is released, "
                    "VACUUM cannot remove rows that died since (--max-time limits it, --from takes it from a replica)"
                )
                warn_at *= 2

    def _end(self) -> None:
        """Again and again until the block ends: what is between two statements does not notice one."""
        for client in list(self._clients):
            if client.process.poll() is None:
                client.process.terminate()
        with contextlib.suppress(psycopg.Error):
            self._conn.cancel_safe(timeout=5)
