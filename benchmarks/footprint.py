"""How fast the command starts, how much memory a runner takes, and how large the ledger is."""

from __future__ import annotations

import statistics
import subprocess
import sys

import psutil

from benchmarks import backfill
from benchmarks.lab import Figure, Lab, lab, running_apply, spread, timed

# Change logs come and go, and have a cap of their own.
_LEDGER = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.relnamespace = 'lockgate'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^log_[0-9]'
"""


def measure(rows: int, rounds: int) -> list[Figure]:
    """`lockgate --help` as a process of its own, the first run not counted; then `lockgate apply` of one mapping."""

    def run() -> None:
        subprocess.run([sys.executable, "-m", "lockgate", "--help"], check=True, capture_output=True)

    run()
    seconds = [timed(run) * 1000 for _ in range(rounds)]
    value = f"{statistics.median(seconds):.0f} ms"
    start = Figure("lockgate --help", "200 ms", "100 ms", value, spread(seconds, "ms"))
    with lab() as here:
        backfill.fill(here, rows, 0.01)
        peak = _peak_memory(here)
        ledger, chunks = here.one(_LEDGER), here.one("SELECT count(*) FROM lockgate.chunks")
    note = f"largest resident size of `lockgate apply` over {rows:,} rows, looked at all the time"
    memory = Figure("memory of the runner", "200 MB", "100 MB", f"{peak / 1e6:.0f} MB", note)
    note = f"one mapping of {rows:,} rows, {chunks} chunks, with its evidence; without change logs"
    return [start, memory, Figure("size of the ledger", "-", "-", f"{ledger / 1e6:.1f} MB", note)]


def _peak_memory(here: Lab) -> int:
    peak = 0
    with running_apply(here, here.plan(backfill.PLAN.format(workers=2))) as process:
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak = max(peak, seen.memory_info().rss)
                process.wait(0.02)
            except (psutil.NoSuchProcess, subprocess.TimeoutExpired):
                continue
    assert process.returncode == 0
    return peak
