"""What the application feels: its slowest requests beside a throttled backfill, and behind a strong lock."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.lab import Figure, Lab, apply_timed, lab, percentile, running_apply

_THROTTLED = """
plan: bench
settings: {max_latency: 1ms, chunk_rows: 500, chunk_time: 5ms}
phases:
  - id: fill
    steps:
      - map: rows
        into: new.rows
        key: [id]
        from: old.rows
        select: SELECT r.id, lower(r.value) AS value FROM old.rows r
"""
_LOCKED = """
plan: locking
settings: {lock_timeout: 200ms, lock_retries: 100}
phases:
  - id: change
    steps:
      - sql: ALTER TABLE old.rows ADD COLUMN IF NOT EXISTS extra int
    undo: []
"""
_RATE = 150


class _Load:
    """Open loop: a request each 1/150 s, whenever the last one ended; the wait for its turn counts."""

    def __init__(self, here: Lab, rows: int) -> None:
        self.here, self.rows = here, rows

    def run(self, until: Callable[[], bool]) -> list[float]:
        taken: list[float] = []
        threads = [threading.Thread(target=self._work, args=(number, until, taken)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return taken

    def _work(self, number: int, until: Callable[[], bool], taken: list[float]) -> None:
        with psycopg.connect(self.here.dsn, autocommit=True) as conn:
            due = time.perf_counter()
            turn = number
            while not until():
                due += 2 / _RATE
                time.sleep(max(0.0, due - time.perf_counter()))
                turn += 7919
                row = turn % self.rows + 1
                conn.execute("UPDATE old.rows SET value = value || 'x' WHERE id = %s", (row,))
                conn.execute("SELECT value FROM old.rows WHERE id = %s", (row,))
                taken.append(time.perf_counter() - due)


def _tables(here: Lab, rows: int) -> None:
    here.run(
        "CREATE SCHEMA old",
        "CREATE SCHEMA new",
        "CREATE TABLE old.rows (id bigint PRIMARY KEY, value text)",
        f"INSERT INTO old.rows SELECT g, 'Value ' || g FROM generate_series(1, {rows}) g",
        "CREATE TABLE new.rows (id bigint PRIMARY KEY, value text)",
        "VACUUM ANALYZE",
    )


def measure(rows: int, pairs: int, seconds: float) -> list[Figure]:
    """Idle and busy windows of equal length alternate; each pair compares two neighbours."""
    with lab() as here:
        _tables(here, rows)
        load = _Load(here, rows)
        load.run(_for(seconds))
        idle, busy = [], []
        for _ in range(pairs):
            idle.append(percentile(load.run(_for(seconds)), 0.99) * 1000)
            busy.append(percentile(_while_applying(here, load, here.plan(_THROTTLED), seconds), 0.99) * 1000)
        stall = _stall(here, load, here.plan(_LOCKED))
    times = statistics.median(b / i for i, b in zip(idle, busy, strict=True))
    note = (
        f"{pairs} pairs of {seconds:.0f} s at {_RATE} requests a second: idle {statistics.median(idle):.1f} ms "
        f"({min(idle):.1f} to {max(idle):.1f}), with backfill {statistics.median(busy):.1f} ms "
        f"({min(busy):.1f} to {max(busy):.1f})"
    )
    return [Figure("application p99 with the throttle on", "1.5 x", "1.1 x", f"{times:.2f} x", note), stall]


def _for(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _while_applying(here: Lab, load: _Load, plan: Path, seconds: float) -> list[float]:
    here.forget()
    here.run("TRUNCATE new.rows")
    # A process of its own, as it is for a team: in a thread, the load would wait for it inside Python.
    with running_apply(here, plan):
        while not here.one("SELECT count(*) FROM new.rows"):
            time.sleep(0.01)
        return load.run(_for(seconds))


def _stall(here: Lab, load: _Load, plan: Path) -> Figure:
    """A reader keeps its transaction open for two seconds while ALTER TABLE wants the table for itself."""
    here.forget()
    done = threading.Event()
    blocked = threading.Event()

    def reader() -> None:
        with psycopg.connect(here.dsn) as conn:
            conn.execute("SELECT count(*) FROM old.rows")
            blocked.set()
            time.sleep(2)

    def migrate() -> None:
        blocked.wait()
        apply_timed(here, plan)
        done.set()

    threads = [threading.Thread(target=work, daemon=True) for work in (reader, migrate)]
    for thread in threads:
        thread.start()
    taken = load.run(done.is_set)
    worst = max(taken) * 1000
    note = f"lock timeout 200 ms, ALTER TABLE behind a reader of 2 s; {len(taken)} requests"
    return Figure(
        "longest stall of a request while a step takes a strong lock", "250 ms", "50 ms", f"{worst:.0f} ms", note
    )
