"""What all measurements share: a server of their own, interleaved runs, medians with their spread."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from lockgate.embedded import EmbeddedServer
from lockgate.engine.runner import apply
from lockgate.engine.session import Sessions
from lockgate.plan.load import load_plan

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_connections": "60"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the results.

    :param must, aim: what was promised and what was hoped for, as text.
    :param value: what was measured, as text; ``detail`` says how.
    """

    measure: str
    must: str
    aim: str
    value: str
    detail: str


@dataclass(slots=True)
class Lab:
    """A server, and a folder for plans."""

    dsn: str
    folder: Path
    conn: psycopg.Connection[Any]

    def run(self, *statements: str) -> None:
        """Execute statements one by one."""
        for statement in statements:
            self.conn.execute(statement.encode())

    def one(self, statement: str) -> Any:
        """The first value of a query."""
        row = self.conn.execute(statement.encode()).fetchone()
        return row[0] if row else None

    def plan(self, text: str) -> Path:
        """Write a plan."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "plan.yaml").write_text(text)
        return folder

    def forget(self) -> None:
        """Remove Lockgate from the database."""
        self.run("DROP SCHEMA IF EXISTS lockgate CASCADE")


@contextmanager
def lab(**settings: str) -> Iterator[Lab]:
    """A server of one's own; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        folder.chmod(0o755)
        with (
            EmbeddedServer(folder / "server", settings={**SETTINGS, **settings}) as server,
            psycopg.connect(server.dsn(), autocommit=True) as conn,
        ):
            yield Lab(server.dsn(), folder, conn)


class Steps:
    """Notes when each step began and ended."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def event(self, message: str) -> None:
        if not message.startswith("step "):
            return
        name, _, rest = message.removeprefix("step ").partition(": ")
        if rest == "begins":
            self._begun[name] = time.perf_counter()
        else:
            self.seconds[name] = time.perf_counter() - self._begun[name]

    def chunks(self, *args: Any) -> None:
        pass

    def waiting(self, reason: str, release: str) -> None:
        pass


def apply_timed(lab: Lab, plan: Path) -> dict[str, float]:
    """Apply a plan; the seconds of each whole step, as ``phase/step``."""
    steps = Steps()
    apply(load_plan(plan), Sessions(lab.dsn), progress=steps)
    return steps.seconds


@contextmanager
def running_apply(lab: Lab, plan: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`lockgate apply` in a process of its own; it is told to stop at the end of the block, if it is still at it."""
    command = [sys.executable, "-m", "lockgate", "apply", str(plan), "--database", lab.dsn]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Run each of ``works`` in turn, ``rounds`` times, in alternating order; the seconds of each."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = list(range(len(works)))
        for index in order if number % 2 == 0 else reversed(order):
            seconds[index].append(works[index]())
    return seconds


def spread(values: Sequence[float], unit: str = "s") -> str:
    """Median and range."""
    return f"{statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def ratio(base: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster than the base, by medians."""
    return statistics.median(base) / statistics.median(ours)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
