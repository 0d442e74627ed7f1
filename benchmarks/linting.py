"""`lockgate lint` of many small files beside squawk, of one file, and what `lockgate check` reads of a large catalog.

In seconds of the processors, the server's too: what else the machine does matters less to them than to time.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psutil
import psycopg
import pytest

from benchmarks.lab import Figure, Lab, interleaved, lab, ratio, spread
from lockgate.cli.main import COLLECTED
from lockgate.safety import snapshot
from tests.conformance.getting import or_skip, squawk

# What migrations are made of; each line is a file, for a table of its own.
FILES = (
    "CREATE TABLE t{n} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,\n"
    "    made_at timestamptz NOT NULL DEFAULT now(), parent bigint REFERENCES t0 (id));",
    "ALTER TABLE t{n} ADD COLUMN note text;\nALTER TABLE t{n} ADD COLUMN state text NOT NULL DEFAULT 'new';",
    "CREATE INDEX t{n}_name ON t{n} (name);",
    "SET lock_timeout = '2s';\n"
    "ALTER TABLE t{n} ADD CONSTRAINT parent FOREIGN KEY (parent) REFERENCES t0 (id) NOT VALID;",
    "UPDATE t{n} SET state = 'old' WHERE made_at < now() - interval '1 year';",
    "CREATE INDEX CONCURRENTLY t{n}_made ON t{n} (made_at) WHERE state = 'new';",
    "ALTER TABLE t{n} ALTER COLUMN name TYPE varchar(40);",
    "BEGIN;\nALTER TABLE t{n} DROP COLUMN note;\n"
    "CREATE VIEW v{n} AS SELECT t.id, t.name, p.name AS parent FROM t{n} t JOIN t0 p ON p.id = t.parent;\nCOMMIT;",
    "INSERT INTO t{n} (name, state) VALUES ('a', 'new'), ('b', 'new');",
    "CREATE FUNCTION f{n}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state := 'seen'; RETURN NEW; END $$;\n"
    "CREATE TRIGGER g{n} BEFORE INSERT ON t{n} FOR EACH ROW EXECUTE FUNCTION f{n}();",
)
TABLES = """
DO $$ BEGIN
    FOR i IN 1..{tables} LOOP
        EXECUTE format('CREATE TABLE t%s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text NOT NULL,
                        b int DEFAULT 3, c numeric(10, 2) CHECK (c > 0), d timestamptz DEFAULT now(), e uuid, f jsonb,
                        g int, h bool, i varchar(20), p bigint REFERENCES t%s)', i, greatest(1, i - 1));
        EXECUTE format('CREATE INDEX ON t%s (a, b)', i);
        IF i % 1000 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$"""


def measure(files: int, tables: int, rounds: int) -> list[Figure]:
    """Processes of their own for the command, the first run of each not counted; one connection for the catalog."""
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as place:
        figures = [_many(Path(place), files, rounds), *_start(Path(place), rounds * 2)]
    with lab() as here:
        here.run(TABLES.format(tables=tables), "VACUUM ANALYZE")
        return [*figures, _catalog(here, tables, rounds)]


def _many(folder: Path, count: int, rounds: int) -> Figure:
    """Files one by one, as squawk takes them: without a history in which each would know those before it."""
    paths = [folder / f"{number}.sql" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(FILES[number % len(FILES)].format(n=number))
    ours = [*_LOCKGATE, "lint", *map(str, paths)]
    _used(ours)
    name, must = f"lint of {count:,} files", "1.0 times squawk"
    try:
        theirs = [str(or_skip(squawk, "squawk")), *map(str, paths)]
    except pytest.skip.Exception as skipped:
        seconds = [_used(ours) for _ in range(rounds)]
        return Figure(name, must, "-", f"{median(seconds):.2f} s", f"{spread(seconds)} of processor; {skipped}")
    _used(theirs)
    base, seconds = interleaved(rounds, lambda: _used(theirs), lambda: _used(ours))
    detail = f"of processor, with the start: squawk {spread(base)}, Lockgate {spread(seconds)}"
    return Figure(name, must, "-", f"{ratio(seconds, base):.1f} times", detail)


def _start(folder: Path, rounds: int) -> list[Figure]:
    figures = []
    for name, words in (("lockgate --version", ["--version"]), ("lint of one file", ["lint", str(folder / "2.sql")])):
        _used([*_LOCKGATE, *words])
        seconds = [_used([*_LOCKGATE, *words]) * 1000 for _ in range(rounds)]
        figures.append(
            Figure(name, "150 ms", "-", f"{median(seconds):.0f} ms", f"{spread(seconds, 'ms')} of processor")
        )
    return figures


def _catalog(here: Lab, tables: int, rounds: int) -> Figure:
    ours, servers = [], []
    gc.set_threshold(*COLLECTED)  # as in the command, which is what takes this time
    for _ in range(rounds):
        with psycopg.connect(here.dsn, autocommit=True) as conn:
            server = psutil.Process(conn.info.backend_pid)
            began, server_began = time.process_time(), sum(server.cpu_times()[:2])
            snapshot.read(conn)
            ours.append(time.process_time() - began)
            servers.append(sum(server.cpu_times()[:2]) - server_began)
    both = [own + other for own, other in zip(ours, servers, strict=True)]
    detail = f"of processor: the server {spread(servers)}, Lockgate {spread(ours)}; 11 columns each, 2 indexes, a check"
    return Figure(f"check reads a catalog of {tables:,} tables", "2 s", "-", f"{median(both):.2f} s", detail)


_LOCKGATE = (sys.executable, "-m", "lockgate")


def _used(command: Sequence[str]) -> float:
    """Seconds of processor that a program takes, which may say that it has found something."""
    # A checkout whose modules must be compiled at each start is not what people have installed.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode in {0, 1}, ended.stderr
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
