"""What all parts of one run share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from psycopg import Connection

from lockgate.engine.retry import Failure, Policy, lost_connection, retrying
from lockgate.errors import Interrupted
from lockgate.plan.models import Phase

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress
    from lockgate.engine.governor import Governor
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

T = TypeVar("T")

_AWAY = Policy(retries=8, base=0.1, cap=2.0)


@dataclass(slots=True)
class Job:
    """One run of a plan under the lease; a context manager, for the connection that it keeps.

    :param epoch: the lease's fencing number.
    :param stop: set when the run shall end at the next safe place.
    """

    loaded: LoadedPlan
    sessions: Sessions
    clock: Clock
    progress: Progress
    governor: Governor
    stop: threading.Event
    epoch: int
    run_id: int
    _conn: Connection[Any] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    @property
    def plan(self) -> str:
        """Name of the plan, the ledger's key."""
        return self.loaded.plan.plan

    def ledger(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do ``work`` on the run's own connection, again if that was lost; it must stand being repeated.

        :raises psycopg.Error, ConnectionFailed: its error, or that of the last try.
        """

        def attempt() -> T:
            if self._conn is None or self._conn.closed:
                self._conn = self.sessions.open("runner")
            return work(self._conn)

        return retrying(attempt, policy=_AWAY, clock=self.clock, on_retry=self._lost, may_retry=lost_connection)

    def goes_on(self, where: str) -> None:
        """:raises Interrupted: if the run was told to stop."""
        if self.stop.is_set():
            raise Interrupted("Stopped", where=where, hint="`lockgate apply` goes on from here.")

    def place(self, phase: Phase, *path: str | int) -> str:
        """``file:line:column`` of a part of a phase."""
        return self.loaded.where("phases", self.loaded.plan.phases.index(phase), *path)

    def _lost(self, attempt: int, error: Failure, pause: float) -> None:
        self._drop()
        self.progress.event(f"the connection to the database was lost; trying again in {pause:.1f} s")

    def _drop(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None
