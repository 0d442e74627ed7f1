"""What a step is given to do its work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection

from lockgate.engine.clock import Clock
from lockgate.ledger import lease
from lockgate.plan.models import Phase, Settings

if TYPE_CHECKING:
    from lockgate.engine.governor import Governor
    from lockgate.engine.session import Sessions
    from lockgate.ledger.chunks import ChunkProgress
    from lockgate.ledger.steps import StepRow
    from lockgate.plan.load import LoadedPlan


class Progress(Protocol):
    """Whoever watches. Called from several threads; must not raise."""

    def event(self, message: str) -> None:
        """Something happened: one line."""

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        """How far a chunked step is; the times are a range, None while nothing was measured."""

    def waiting(self, reason: str, release: str) -> None:
        """The work waits, why, and which command releases it. An empty reason: it goes on."""


class Silent:
    """Watches nothing."""

    def event(self, message: str) -> None:
        pass

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        pass

    def waiting(self, reason: str, release: str) -> None:
        pass


class Working(Protocol):
    """What running statements under the runner's lease takes; a step's context is one."""

    @property
    def sessions(self) -> Sessions: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def progress(self) -> Progress: ...

    @property
    def stop(self) -> threading.Event: ...

    def fenced(self, conn: Connection[Any]) -> AbstractContextManager[None]:
        """A transaction on ``conn`` (its outermost) in which nobody can take the lease over."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """One step of one phase, under the runner's lease.

    :param step: the step's model; each runner of a step kind knows its own.
    :param epoch: the lease's fencing number: every writing transaction asserts it.
    :param stop: set when the run shall end after the present chunk.
    """

    loaded: LoadedPlan
    phase: Phase
    step: Any
    step_id: str
    step_row: StepRow
    sessions: Sessions
    clock: Clock
    settings: Settings
    progress: Progress
    epoch: int
    health: Governor
    run_id: int | None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def plan(self) -> str:
        """Name of the plan, the ledger's key."""
        return self.loaded.plan.plan

    @contextmanager
    def fenced(self, conn: Connection[Any]) -> Iterator[None]:
        """A transaction on ``conn`` (its outermost) in which nobody can take the lease over.

        :raises LeaseLost: at its beginning, when somebody did.
        """
        with conn.transaction():
            lease.assert_held(conn, self.epoch)
            yield
