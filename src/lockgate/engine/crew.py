"""The threads that share out a step's chunks: hired as `lockgate tune` says, watched, and told of."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection

from lockgate.engine.clock import Clock
from lockgate.engine.governor import Governor
from lockgate.engine.session import Sessions
from lockgate.engine.sweeping import Sweeper
from lockgate.ledger import chunks
from lockgate.ledger.chunks import ChunkProgress

if TYPE_CHECKING:
    from lockgate.engine.context import Progress

_REPORT_EVERY = 0.5


class Worker(Protocol):
    """Does chunk after chunk, on a connection of its own."""

    def run(self) -> None:
        """Return when none is left, or when it is retired; what it raises ends the crew."""


@dataclass(slots=True)
class Crew:
    """The workers of one process for one step; their number follows what `lockgate tune` says.

    :param hire: makes the worker of a number.
    :param sweeper: gives the space of changed rows back; None where rows are only added.
    """

    sessions: Sessions
    step_id: int
    clock: Clock
    governor: Governor
    progress: Progress
    stop: threading.Event
    hire: Callable[[Crew, int], Worker]
    sweeper: Sweeper | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _errors: list[BaseException] = field(default_factory=list)
    _read: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> ChunkProgress:
        """Work until no chunk is left, or until told to stop.

        :raises Exception: what a worker gave up for.
        """
        started = self.clock.monotonic()
        with self.sessions.open("progress") as conn:
            while True:
                self._hire()
                self._report(conn, started)
                alive = [thread for thread in self._threads if thread.is_alive()]
                for thread in alive[:1]:
                    thread.join(_REPORT_EVERY)
                if not alive or self._errors:
                    break
            for thread in self._threads:
                thread.join()
            if self._errors:
                raise self._errors[0]
            return chunks.progress(conn, self.step_id)

    # --- what workers ask and tell --------------------------------------------------------------------------

    def retired(self, number: int) -> bool:
        """Whether a worker is one too many, or another one has failed."""
        return bool(self._errors) or number >= self.governor.workers()

    def count(self, read: int, written: int) -> None:
        """A worker has read and written so many rows."""
        with self._lock:
            self._read += read
        if self.sweeper is not None:
            self.sweeper.changed(written)

    # --- hiring ---------------------------------------------------------------------------------------------

    def _hire(self) -> None:
        wanted = self.governor.workers()
        while len(self._threads) < wanted and not self._errors and not (self._threads and self._nobody()):
            number = len(self._threads)
            worker = self.hire(self, number)
            thread = threading.Thread(target=self._work, args=(worker,), name=f"lockgate-worker-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _nobody(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, worker: Worker) -> None:
        try:
            worker.run()
        except BaseException as error:  # told to whoever runs the crew
            self._errors.append(error)

    def _report(self, conn: Connection[Any], started: float) -> None:
        made = chunks.progress(conn, self.step_id)
        spent = max(self.clock.monotonic() - started, 1e-3)
        rate = self._read / spent
        left = made.rows_read / made.blocks_done * (made.blocks_total - made.blocks_done) if made.blocks_done else None
        low = high = None
        if left is not None and rate > 0:
            low, high = timedelta(seconds=left / rate * 0.8), timedelta(seconds=left / rate * 1.5)
        self.progress.chunks(made, rate, low, high)


def name_of(number: int) -> str:
    """How a worker is called in the ledger."""
    return f"{socket.gethostname()}:{os.getpid()}:{number}"
