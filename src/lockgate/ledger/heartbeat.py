"""A thread that keeps a lease alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection

from lockgate.errors import DatabaseError, LeaseLost
from lockgate.ledger import lease as leases
from lockgate.ledger.lease import Lease

_PATIENCE = 5.0  # seconds


class Heartbeat:
    """Renews a lease every ``interval`` on a connection of its own, from ``with`` to the end of its block.

    :param conn_factory: opens an autocommit connection; called again after each lost one.
    :param interval: a third of the lease's ttl, or less.
    :param on_lost: called once, in the thread, when the lease was taken over; the thread then ends.

    A database that is away is asked again at each interval: as long as it is away nobody can take the lease
    either, and when it is back it says who has it.
    """

    def __init__(
        self,
        conn_factory: Callable[[], Connection[Any]],
        lease: Lease,
        interval: timedelta,
        on_lost: Callable[[LeaseLost], object],
    ) -> None:
        self._connect = conn_factory
        self._lease = lease
        self._interval = interval
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._conn: Connection[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="lockgate-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread; its first heartbeat is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its connection; one that hangs in a dead network is left to end by itself."""
        self._stop.set()
        self._thread.join(_PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._beat()
                except LeaseLost as lost:
                    self._on_lost(lost)
                    return
                self._stop.wait(self._interval.total_seconds())
        finally:
            self._close()

    def _beat(self) -> None:
        try:
            if self._conn is None:
                self._conn = self._connect()
            leases.heartbeat(self._conn, self._lease)
        except (psycopg.Error, DatabaseError):
            self._close()

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
