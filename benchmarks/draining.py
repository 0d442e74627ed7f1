"""How long a fresh change waits while a bulk update of all source rows drains."""

from __future__ import annotations

import statistics
import time

import psycopg

from benchmarks.lab import Figure, Lab, apply_timed, lab
from benchmarks.synccost import PLAN, arrival, tables
from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions

_EVERY = 0.2


def measure(rows: int) -> list[Figure]:
    """Each row of the bulk update changes its key: one key to remove, one to add."""
    with lab(synchronous_commit="off") as here:
        tables(here, rows)
        apply_timed(here, here.plan(PLAN))
        with applying(Sessions(here.dsn), "bench", SystemClock(), lambda message: None):
            here.run("UPDATE old.emails SET email = 'Bulk' || id || '@Example.com'")
            started = time.perf_counter()
            # Before it is a backlog there is nothing that a change could wait behind.
            while not here.one("SELECT EXISTS (TABLE lockgate.backlog)"):
                time.sleep(0.01)
            waits = _probe(here)
            drained = time.perf_counter() - started
    note = (
        f"{rows:,} rows drained in {drained:.0f} s; {len(waits)} probes meanwhile, "
        f"median {statistics.median(waits):.2f} s; the longest counts"
    )
    return [Figure("a fresh change while a bulk update drains", "2 s", "2 s", f"{max(waits):.2f} s", note)]


def _probe(here: Lab) -> list[float]:
    """Insert rows one by one until nothing is left to drain; the seconds until each is in the target."""
    waits: list[float] = []
    with psycopg.connect(here.dsn, autocommit=True) as conn:
        while not waits or _left(here):
            waits.append(arrival(conn, 500_000_000 + len(waits)))
            time.sleep(_EVERY)
    return waits


def _left(here: Lab) -> bool:
    target = here.one("SELECT id FROM lockgate.sync_targets")
    return bool(here.one(f"SELECT EXISTS (TABLE lockgate.backlog) OR EXISTS (TABLE lockgate.recheck_{target})"))
