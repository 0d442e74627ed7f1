"""Another tool's migrations: how long many small files take with Lockgate, and with the tool itself."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg
import pytest

from benchmarks.lab import SETTINGS, Figure, interleaved, ratio, spread, timed
from lockgate.embedded import EmbeddedServer
from tests.conformance.real import REAL, Real

_FIRST = 1000  # all numbers are of one width: some tools go by the text
_LISTED = 2_000


def measure(files: int, rounds: int) -> list[Figure]:
    """``lockgate history`` as a process of its own, as the tools are: applying, and telling of a large folder."""
    figures: list[Figure] = []
    with _server() as dsn, tempfile.TemporaryDirectory(prefix="lockgate-bench-") as place:
        for real in REAL:
            folder = Path(place) / real.name
            try:
                figures += _measured(real, dsn, folder, files, rounds)
            except pytest.skip.Exception as skipped:
                figures.append(Figure(f"{files} files of {real.name}", "1.5 times the tool", "1", "-", str(skipped)))
    return figures


def _measured(real: Real, dsn: str, folder: Path, files: int, rounds: int) -> list[Figure]:
    _write(real, folder, files)

    def theirs() -> float:
        _empty(dsn)
        return timed(lambda: _succeed(real, dsn, folder))

    def ours() -> float:
        _empty(dsn)
        return timed(lambda: _lockgate("apply", real, dsn, folder))

    tool, lockgate = interleaved(rounds, theirs, ours)
    detail = f"tool {spread(tool)}, Lockgate {spread(lockgate)}; a table each, from an empty database, with the start"
    name = f"{files} files of {real.name}"
    applied = Figure(name, "1.5 times the tool", "1", f"{ratio(lockgate, tool):.2f} times", detail)
    _write(real, folder, _LISTED)
    seconds = [timed(lambda: _lockgate("status", real, dsn, folder)) for _ in range(rounds)]
    told = Figure(
        f"status of {_LISTED:,} files of {real.name}", "1 s", "-", f"{median(seconds):.2f} s", spread(seconds)
    )
    return [applied, told]


def _write(real: Real, folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(_FIRST, _FIRST + count):
        files = real.files(number, f"CREATE TABLE t{number} (id int PRIMARY KEY);", f"DROP TABLE t{number};")
        for name, text in files.items():
            (folder / name).write_text(text)


def _succeed(real: Real, dsn: str, folder: Path) -> None:
    ended = real.up(dsn, folder)
    assert ended.code == 0, ended.said


def _lockgate(command: str, real: Real, dsn: str, folder: Path) -> None:
    words = ["history", command, str(folder), "--tool", real.name, "--database", dsn]
    subprocess.run([sys.executable, "-m", "lockgate", *words], check=True, capture_output=True)


def _empty(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in ("DROP SCHEMA IF EXISTS lockgate CASCADE", "DROP SCHEMA public CASCADE"):
            conn.execute(statement.encode())
        conn.execute("CREATE SCHEMA public")


@contextmanager
def _server() -> Iterator[str]:
    """One that listens on TCP: Java's driver knows nothing else."""
    settings = {**SETTINGS, "max_locks_per_transaction": "4096"}  # a schema of thousands of tables is dropped at once
    with (
        tempfile.TemporaryDirectory(prefix="lockgate-bench-", ignore_cleanup_errors=True) as place,
        EmbeddedServer(Path(place), settings=settings, loopback=True) as server,
    ):
        yield server.dsn()
