"""`make bench`: measure side by side, and write what came out to ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import (
    backfill,
    comparing,
    copying,
    draining,
    footprint,
    hardening,
    histories,
    latency,
    linting,
    normalising,
    retiring,
    rewriting,
    synccost,
    transform,
)
from benchmarks.lab import Figure, lab

RESULTS = Path(__file__).parent / "RESULTS.md"
_START, _END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"

_HEADING = "| measure | must | aim | measured | on | how |"


def _measures(size: float, rounds: int) -> dict[str, Callable[[], list[Figure]]]:
    def rows(count: int) -> int:
        return max(5_000, int(count * size))

    return {
        "backfill": lambda: backfill.measure(rows(500_000), rounds),
        "transform": lambda: transform.measure(rows(500_000), rounds),
        "comparing": lambda: comparing.measure(rows(500_000), rounds),
        "copying": lambda: copying.measure(rows(500_000), rounds),
        "synccost": lambda: synccost.measure(rows(200_000), rounds),
        "draining": lambda: draining.measure(rows(1_000_000)),
        "latency": lambda: latency.measure(rows(300_000), pairs=max(3, rounds * 2), seconds=10.0 * min(1.0, size)),
        "retiring": lambda: retiring.measure(rows(500_000), rounds),
        "rewriting": lambda: rewriting.measure(rows(550_000), max(20, 946 * size)),
        "footprint": lambda: footprint.measure(rows(500_000), rounds * 2),
        "normalising": lambda: normalising.measure(rows(200_000), rows(500_000), rounds),
        "hardening": lambda: hardening.measure(rows(1_726_374), rounds),
        "linting": lambda: linting.measure(max(20, int(1_000 * size)), max(100, int(10_000 * size)), rounds),
        "histories": lambda: histories.measure(max(20, int(500 * size)), rounds),
    }


def _machine() -> str:
    with lab() as here:
        version = here.one("SELECT current_setting('server_version')")
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"PostgreSQL {version}, Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}; load average at the start {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Run the measures that were named, all without a name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measures", nargs="*", help="some of them; all by default")
    parser.add_argument("--size", type=float, default=1.0, help="share of the rows, for a quick look")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each")
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    known = _measures(given.size, given.rounds)
    unknown = set(given.measures) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    machine, today = _machine(), f"{datetime.now(UTC):%Y-%m-%d}"
    print(machine)
    for name in given.measures or known:
        for figure in known[name]():
            cells = (figure.measure, figure.must, figure.aim, f"**{figure.value}**", today, figure.detail)
            line = f"| {' | '.join(cells)} |"
            print(line, flush=True)
            if not given.dry:
                _write(figure.measure, line, machine)


def _write(measure: str, line: str, machine: str) -> None:
    """Put a figure in the place of what was measured before; all others stay, with the days they are of."""
    head, _, rest = RESULTS.read_text().partition(_START)
    table, _, tail = rest.partition(_END)
    kept = [row for row in table.splitlines() if row.startswith("| ") and row.split(" | ")[1] not in {"must", "---"}]
    names = [row.split(" | ")[0].removeprefix("| ") for row in kept]
    if measure in names:
        kept[names.index(measure)] = line
    else:
        kept.append(line)
    lines = [_START, f"Last on {machine}.", "", _HEADING, "| --- | --- | --- | --- | --- | --- |", *kept, _END]
    RESULTS.write_text(head + "\n".join(lines) + tail)


if __name__ == "__main__":
    main()
