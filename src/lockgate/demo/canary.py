"""Reads and writes tables all the time, one after the other, and remembers the longest that each took."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from lockgate.engine.clock import Clock

_PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Probe:
    """How a table is read and written: two statements of a few milliseconds that change nothing."""

    read: str
    write: str


@dataclass(slots=True)
class Waits:
    """How long a table's probes took.

    :ivar reads: how many there were; ``writes`` likewise.
    :ivar read_ms: the longest, milliseconds; ``write_ms`` likewise.
    """

    reads: int = 0
    read_ms: float = 0.0
    writes: int = 0
    write_ms: float = 0.0


@dataclass(slots=True)
class Canary:
    """:ivar waits: table -> its waits. :ivar failures: what the server said where a probe failed."""

    waits: Mapping[str, Waits]
    failures: list[str] = field(default_factory=list)


@contextmanager
def canary(dsn: str, probes: Mapping[str, Probe], clock: Clock) -> Iterator[Canary]:
    """Probe the tables while the block runs, readers and writers on a connection each.

    :raises psycopg.Error: if there is no connection.
    """
    watched = Canary({table: Waits() for table in probes})
    stop = threading.Event()
    with psycopg.connect(dsn, autocommit=True) as reader, psycopg.connect(dsn, autocommit=True) as writer:
        threads = [
            threading.Thread(target=_work, args=(conn, probes, watched, writes, clock, stop), daemon=True)
            for conn, writes in ((reader, False), (writer, True))
        ]
        for thread in threads:
            thread.start()
        try:
            yield watched
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _work(
    conn: psycopg.Connection[tuple[object, ...]],
    probes: Mapping[str, Probe],
    watched: Canary,
    writes: bool,
    clock: Clock,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        for table, probe in probes.items():
            start = clock.monotonic()
            try:
                conn.execute((probe.write if writes else probe.read).encode())
            except psycopg.Error as error:
                watched.failures.append(f"{table}: {error}".strip())
                if conn.closed:
                    return
            took, waits = (clock.monotonic() - start) * 1000, watched.waits[table]
            if writes:
                waits.writes, waits.write_ms = waits.writes + 1, max(waits.write_ms, round(took, 1))
            else:
                waits.reads, waits.read_ms = waits.reads + 1, max(waits.read_ms, round(took, 1))
            if stop.wait(_PAUSE_SECONDS):
                return
