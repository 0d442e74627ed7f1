"""What retiring a model costs: hashing tables, backups and their restore, and looking at counters."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from psycopg.conninfo import make_conninfo

from benchmarks.lab import Figure, Lab, interleaved, lab, spread, timed
from lockgate.backup import clients as programs
from lockgate.backup import make as making
from lockgate.backup.prove import prove
from lockgate.catalog.content import Content, content
from lockgate.engine.session import Sessions
from lockgate.ledger import install
from lockgate.usage import samples

_TABLES = 2_000
_JOBS = 2
_HASH = "SELECT count(*), bit_xor(hash_record_extended(t, 0)) FROM old.people t"
_COUNTERS = """
SELECT relid, schemaname, relname, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del, last_seq_scan, last_idx_scan
FROM pg_catalog.pg_stat_all_tables WHERE schemaname = 'many'
"""


def measure(rows: int, rounds: int) -> list[Figure]:
    """Each beside what an engineer would run by hand."""
    with lab() as here:
        here.run(
            "CREATE SCHEMA old",
            "CREATE TABLE old.people (id bigint PRIMARY KEY, email text, name text, born date, noted timestamptz)",
            "INSERT INTO old.people SELECT g, 'Mail' || g || '@Example.com', 'Name ' || g, "
            f"'1950-01-01'::date + g % 20000, now() FROM generate_series(1, {rows}) g",
            "VACUUM ANALYZE old.people",
        )
        return [_hashing(here, rows, rounds), *_backing_up(here, rows, rounds), _sampling(here, rounds)]


def _hashing(here: Lab, rows: int, rounds: int) -> Figure:
    oid = here.one("SELECT 'old.people'::regclass::oid::bigint")
    with Sessions(here.dsn).open("bench") as conn:
        theirs, ours = interleaved(
            rounds, lambda: timed(lambda: here.one(_HASH)), lambda: timed(lambda: content(conn, oid))
        )
    note = f"{rows:,} rows, both with two processes of the server: by hand {spread(theirs)}, Lockgate {spread(ours)}"
    return Figure("content hash of a table", "1.1 times", "1.0 times", _times(theirs, ours), note)


def _backing_up(here: Lab, rows: int, rounds: int) -> list[Figure]:
    found = programs.find(18, "/", None)
    sessions = Sessions(here.dsn)
    place = Path(tempfile.mkdtemp(dir=here.folder))
    dumps: list[Path] = []

    def bare() -> None:
        folder = Path(tempfile.mkdtemp(dir=place)) / "dump"
        _run(found, "pg_dump", f"--jobs={_JOBS}", "--format=directory", f"--file={folder}", f"--dbname={here.dsn}")
        dumps.append(folder)

    def ours() -> None:
        shutil.rmtree(place / "ours", ignore_errors=True)
        # The comparison is not counted: every table has the same hash here.
        with patch.object(making, "content", _no_hash):
            making.make(sessions, place / "ours", "bench", jobs=_JOBS)

    plain, made = interleaved(rounds, lambda: timed(bare), lambda: timed(ours))
    shutil.rmtree(place / "ours")
    kept = making.make(sessions, place / "ours", "bench", jobs=_JOBS).folder

    def restore_bare() -> float:
        here.run("DROP DATABASE IF EXISTS bare", "CREATE DATABASE bare")
        dsn = make_conninfo(here.dsn, dbname="bare")
        return timed(lambda: _run(found, "pg_restore", f"--jobs={_JOBS}", f"--dbname={dsn}", str(dumps[0])))

    there, back = interleaved(rounds, restore_bare, lambda: prove(kept, on=here.dsn, jobs=_JOBS).seconds)
    note = f"{rows:,} rows, {_JOBS} jobs"
    return [
        Figure(
            "backup, hashes not counted",
            "1.1 times",
            "1.0 times",
            _times(plain, made),
            f"{note}: pg_dump {spread(plain)}, Lockgate {spread(made)}",
        ),
        Figure(
            "restore, comparison not counted",
            "1.1 times",
            "1.0 times",
            _times(there, back),
            f"{note}: pg_restore {spread(there)}, Lockgate {spread(back)}",
        ),
    ]


def _sampling(here: Lab, rounds: int) -> Figure:
    here.run("CREATE SCHEMA many")
    here.run(*(f"CREATE TABLE many.t{number} (id int PRIMARY KEY)" for number in range(_TABLES)))
    oids = [
        int(row[0])
        for row in here.conn.execute(
            "SELECT oid::bigint FROM pg_class WHERE relnamespace = 'many'::regnamespace AND relkind = 'r'"
        )
    ]
    with Sessions(here.dsn).open("bench") as conn:
        install(conn)
        samples.watch(conn, oids)

        def ours() -> None:
            assert len(samples.read(conn, "bench", oids, datetime.now(UTC))) == _TABLES

        def bare() -> None:
            assert len(here.conn.execute(_COUNTERS.encode()).fetchall()) == _TABLES

        theirs, mine = interleaved(rounds * 4, lambda: timed(bare), lambda: timed(ours))
    note = f"{_TABLES:,} tables: the view {spread(theirs)}, a sample {spread(mine)}"
    return Figure("counters of 2,000 tables", "2 times", "1.5 times", _times(theirs, mine), note)


def _times(base: list[float], ours: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(base):.2f} times"


def _no_hash(*_: Any) -> Content:
    return Content(0, "0", "xor", "SELECT 0")


def _run(found: programs.Clients, program: str, *arguments: str) -> None:
    subprocess.run([found.bin / program, "--no-password", *arguments], check=True, capture_output=True)
