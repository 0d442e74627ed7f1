"""A `rewrite` of a bloated table while an application writes it, against a fresh copy of the same rows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.lab import Figure, Lab, apply_timed, lab
from lockgate.engine.runner import apply
from lockgate.engine.session import Sessions
from lockgate.plan.load import load_plan

_PLAN = """
plan: bench
settings: {workers: 1}
phases:
  - id: smaller
    steps:
      - rewrite: entities
        table: app.entities
  - id: settled
    steps:
      - close: entities
"""
# The rows of the old model of the party: a fresh copy of 550,000 takes about 200 MB.
_TABLE = """
CREATE TABLE app.entities (
    entity_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), national_id text NOT NULL UNIQUE, name text NOT NULL,
    kind text NOT NULL, attributes jsonb NOT NULL, version int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz)
"""
_ROWS = """
INSERT INTO app.entities (national_id, name, kind, attributes)
SELECT lpad((n::bigint * 7919)::text, 11, '0'), 'Name ' || md5(n::text), (ARRAY['person', 'company'])[1 + n % 2],
       jsonb_build_object('city', left(md5((n % 900)::text), 12), 'origin', repeat('x', 40), 'rank', n % 100)
FROM generate_series(1, {rows}) n
"""
_INDEXES = ("(name)", "(created_at)", "(kind, updated_at)")
_SIZE = "SELECT pg_total_relation_size('{}')"
_RATE = 40
"""Transactions a second of each of two writers, each of which changes a row or makes one."""


@dataclass
class Writers:
    """An application that writes the table all the time, and knows what each row that it wrote must be."""

    dsn: str
    count: int = 2
    rows: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            known = [
                str(row[0])
                for row in conn.execute(
                    "SELECT entity_id FROM app.entities WHERE hashtext(entity_id::text) %% %s = %s LIMIT 20000",
                    (self.count, number),
                )
            ]
            while not self._stop.wait(1 / _RATE):
                begun = time.perf_counter()
                try:
                    self._write(conn, chance, known)
                except psycopg.Error as error:
                    self.failures.append(str(error))
                self.seconds.append(time.perf_counter() - begun)

    def _write(self, conn: psycopg.Connection[Any], chance: random.Random, known: list[str]) -> None:
        if chance.random() < 0.2:
            made = conn.execute(
                "INSERT INTO app.entities (national_id, name, kind, attributes) "
                "VALUES (gen_random_uuid()::text, 'new', 'person', '{}') RETURNING entity_id, version"
            ).fetchone()
            assert made is not None
            known.append(str(made[0]))
        else:
            made = conn.execute(
                "UPDATE app.entities SET version = version + 1, updated_at = now() WHERE entity_id = %s "
                "RETURNING entity_id, version",
                (chance.choice(known),),
            ).fetchone()
            assert made is not None, "a row is not there"
        self.rows[str(made[0])] = int(made[1])


def _fill(here: Lab, rows: int, bloated: float) -> None:
    """Fill the table, and change its rows with nobody taking old versions away, until it has that size."""
    here.run("CREATE SCHEMA app", _TABLE, _ROWS.format(rows=rows))
    here.run(*(f"CREATE INDEX ON app.entities {columns}" for columns in _INDEXES))
    here.run("ALTER TABLE app.entities SET (autovacuum_enabled = false)")
    first = here.one(_SIZE.format("app.entities"))
    while (missing := bloated - here.one(_SIZE.format("app.entities"))) > bloated / 100:
        share = min(100, max(1, round(100 * missing / first)))
        here.run(f"UPDATE app.entities SET updated_at = now() WHERE abs(hashtext(national_id)::bigint) % 100 < {share}")
    # From here on the server takes care of it as of any other.
    here.run("ALTER TABLE app.entities RESET (autovacuum_enabled)", "CHECKPOINT")


def _fresh(here: Lab) -> int:
    """The bytes of a fresh copy of the rows there are, with the same indexes."""
    here.run(
        "CREATE TABLE app.fresh AS SELECT * FROM app.entities",
        "ALTER TABLE app.fresh ADD PRIMARY KEY (entity_id), ADD UNIQUE (national_id)",
        *(f"CREATE INDEX ON app.fresh {columns}" for columns in _INDEXES),
        # So that both have the maps of free space and of what is visible.
        "VACUUM app.fresh",
    )
    size = int(here.one(_SIZE.format("app.fresh")))
    here.run("DROP TABLE app.fresh")
    return size


def _wrong(here: Lab, writers: Writers) -> int:
    """How many of the rows that the application wrote are not there, or not as it wrote them."""
    held = {str(key): int(version) for key, version in here.conn.execute("SELECT entity_id, version FROM app.entities")}
    return sum(held.get(key) != version for key, version in writers.rows.items())


def _held(here: Lab) -> Any:
    return here.one(
        "SELECT (payload::jsonb #>> '{result,milliseconds}')::int FROM lockgate.chain "
        "WHERE kind = 'evidence' AND payload::jsonb ->> 'name' = 'held:entities' ORDER BY seq DESC LIMIT 1"
    )


def measure(rows: int, megabytes: float) -> list[Figure]:
    """One rewrite of a table that grew to so many megabytes, with two writers at work from before to after it."""
    with lab() as here:
        _fill(here, rows, megabytes * 1e6)
        before = here.one(_SIZE.format("app.entities"))
        count = here.one("SELECT count(*) FROM app.entities")
        plan: Path = here.plan(_PLAN)
        writers = Writers(here.dsn)
        with writers.writing():
            loaded = load_plan(plan)
            begun = time.perf_counter()
            apply(loaded, Sessions(here.dsn), to="smaller")
            seconds = time.perf_counter() - begun
            after = here.one(_SIZE.format("app.entities"))
        fresh = _fresh(here)
        held, wrong = _held(here), _wrong(here, writers)
        apply_timed(here, plan)
        gone = here.one("SELECT to_regclass('app.entities_before') IS NULL")
    assert gone, "close left the table of before"
    note = (
        f"{count:,} rows, {len(writers.seconds):,} transactions meanwhile: {before / 1e6:.0f} MB before, "
        f"{after / 1e6:.1f} MB after, a fresh copy with the same indexes {fresh / 1e6:.1f} MB; {seconds:.0f} s"
    )
    size = Figure("a bloated table rewritten", "1.05 times a copy", "1.02", f"{after / fresh:.3f} times", note)
    lost = Figure(
        "lost or failed by a rewrite",
        "0",
        "0",
        f"{wrong + len(writers.failures)}",
        f"{len(writers.rows):,} rows written",
    )
    longest = f"the writer that waited longest: {max(writers.seconds) * 1000:.0f} ms"
    return [size, lost, Figure("lock held by the swap", "2 s", "200 ms", f"{held} ms", longest)]
