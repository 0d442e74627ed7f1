"""How fast the command starts, and how large the ledger is."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.lab import Figure, spread, timed


def measure(rounds: int) -> list[Figure]:
    """`lockgate --help` as a process of its own, the first run not counted."""

    def run() -> None:
        subprocess.run([sys.executable, "-m", "lockgate", "--help"], check=True, capture_output=True)

    run()
    seconds = [timed(run) * 1000 for _ in range(rounds)]
    value = f"{statistics.median(seconds):.0f} ms"
    return [Figure("lockgate --help", "200 ms", "100 ms", value, spread(seconds, "ms"))]
