"""What `lockgate sync` does between and after the runs of a plan, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lockgate.engine.applying import serve
from lockgate.engine.clock import Clock
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, LockgateError
from lockgate.mapping.status import status

_POLL = 0.1
_LONGEST_DRAIN = 300.0


@contextmanager
def syncing(sessions: Sessions, plan: str, clock: Clock, told: Callable[[str], None]) -> Iterator[None]:
    """Apply changes while the block runs, standing by while a runner does.

    :raises LockgateError: at the end, why it gave up, if it did and nothing else failed.
    """
    stop = threading.Event()
    failed: list[LockgateError] = []

    def work() -> None:
        try:
            serve(sessions, plan, clock, stop, told)
        except LockgateError as error:
            failed.append(error)
            told(f"sync stopped: {error.what}")

    thread = threading.Thread(target=work, name="lockgate-demo-sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


def drain(sessions: Sessions, plan: str, clock: Clock, stop: threading.Event) -> None:
    """Wait until every change that was logged is applied; nobody may write meanwhile.

    :raises Interrupted: when told to stop.
    :raises LockgateError: if it takes unreasonably long.
    """
    deadline = clock.monotonic() + _LONGEST_DRAIN
    with sessions.open("demo") as conn:
        while True:
            behind = [each for each in status(conn, plan) if each.pending_rows or each.recheck]
            if not behind:
                return
            if clock.monotonic() > deadline:
                raise LockgateError(
                    "The new model does not catch up",
                    where=", ".join(each.target for each in behind),
                    why=f"Nobody writes, and {sum(each.pending_rows for each in behind)} changes are not applied.",
                )
            if clock.wait(stop, _POLL):
                raise Interrupted("The demo was stopped")
