"""Running migrations without a plan, from the command line: the lease, the ledger, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine import preflight
from lockgate.engine.leasing import holding
from lockgate.ledger import lease, store
from lockgate.plan.models import Settings

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions


@dataclass(frozen=True, slots=True)
class Desk:
    """What running statements takes, where no plan says it.

    :param epoch: the lease's fencing number.
    """

    sessions: Sessions
    clock: Clock
    settings: Settings
    progress: Progress
    stop: threading.Event
    epoch: int

    @contextmanager
    def fenced(self, conn: Connection[Any]) -> Iterator[None]:
        """A transaction on ``conn`` in which nobody can take the lease over.

        :raises LeaseLost: at its beginning, when somebody did.
        """
        with conn.transaction():
            lease.assert_held(conn, self.epoch)
            yield


@contextmanager
def at_work(sessions: Sessions, holder: str, progress: Progress, stop: threading.Event) -> Iterator[Desk]:
    """Make the ledger if it is not there, and hold the lease.

    :param holder: who it is, for others who want the lease.
    :raises LeaseHeld: while another runner is at work.
    """
    sessions.preflight()
    with sessions.open("runner") as conn:
        preflight.require_create(conn)
        store.install(conn)
    with holding(sessions, holder, progress=progress, stop=stop) as held:
        yield Desk(sessions, sessions.clock, sessions.settings, progress, stop, held.epoch)
