"""What sync costs a write, against the application writing both models itself; and how fast changes are applied."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import psycopg

from benchmarks.lab import Figure, Lab, apply_timed, interleaved, lab, percentile, spread, timed
from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions
from lockgate.mapping import group
from lockgate.mapping.applier import Applier

_PATIENCE = 120.0
PLAN = """
plan: bench
phases:
  - id: fill
    steps:
      - map: contacts
        into: new.contacts
        key: [person_id, value]
        from: old.emails
        winner: [s.id]
        select: |
          SELECT p.id AS person_id, lower(s.email) AS value, c.code AS country
          FROM old.emails s
          JOIN old.people p ON p.id = s.person_id
          JOIN old.countries c ON c.id = p.country_id
"""


def tables(here: Lab, people: int) -> None:
    here.run(
        "CREATE SCHEMA old",
        "CREATE SCHEMA new",
        "CREATE TABLE old.countries (id int PRIMARY KEY, code text NOT NULL)",
        "CREATE TABLE old.people (id bigint PRIMARY KEY, country_id int NOT NULL)",
        "CREATE TABLE old.emails (id bigint PRIMARY KEY, person_id bigint NOT NULL, email text NOT NULL)",
        "CREATE INDEX ON old.emails (person_id)",
        "CREATE INDEX ON old.people (country_id)",
        "CREATE TABLE new.contacts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint NOT NULL, "
        "value text NOT NULL, country text NOT NULL, UNIQUE (person_id, value))",
        "CREATE INDEX ON new.contacts (value)",
        "INSERT INTO old.countries SELECT g, 'C' || g FROM generate_series(1, 200) g",
        f"INSERT INTO old.people SELECT g, g % 200 + 1 FROM generate_series(1, {people}) g",
        "INSERT INTO old.emails SELECT g, g / 2 + 1, 'Mail' || g || '@Example.com' "
        f"FROM generate_series(1, {people}) g",
        "VACUUM ANALYZE",
    )


class _Writer:
    """Inserts e-mails in one of three ways; each call takes ids of its own."""

    def __init__(self, here: Lab, people: int) -> None:
        self.conn = psycopg.connect(here.dsn, autocommit=True)
        self.people = people
        self.next = 10_000_000
        self.here = here

    def way(self, name: str) -> None:
        state = "ENABLE ALWAYS" if name == "sync" else "DISABLE"
        for trigger in self.here.conn.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'old.emails'::regclass AND tgname LIKE 'lockgate%'"
        ).fetchall():
            self.here.run(f"ALTER TABLE old.emails {state} TRIGGER {trigger[0]}")

    def write(self, rows: int, statements: int, both: bool) -> None:
        for _ in range(statements):
            low = self.next
            self.next += rows
            values = (
                f"SELECT g, g % {self.people} + 1, 'Mail' || g || '@Example.com' "
                f"FROM generate_series({low}, {low + rows - 1}) g"
            )
            with self.conn.transaction():
                self.conn.execute(f"INSERT INTO old.emails {values}".encode())
                if both:
                    self.conn.execute(
                        "INSERT INTO new.contacts (person_id, value, country) SELECT p.id, lower(s.email), c.code "
                        "FROM old.emails s JOIN old.people p ON p.id = s.person_id "
                        f"JOIN old.countries c ON c.id = p.country_id WHERE s.id >= {low} AND s.id < {low + rows} "
                        "ON CONFLICT DO NOTHING".encode()
                    )


def _cost(here: Lab, writer: _Writer, rows: int, statements: int, rounds: int) -> tuple[float, str]:
    def run(name: str) -> float:
        writer.way(name)
        return timed(lambda: writer.write(rows, statements, both=name == "both")) / (rows * statements) * 1e6

    none, sync, both = interleaved(rounds, *(lambda name=name: run(name) for name in ("none", "sync", "both")))
    added = statistics.median(sync) - statistics.median(none)
    by_hand = statistics.median(both) - statistics.median(none)
    note = f"microseconds a row: none {spread(none, 'us')}, sync {spread(sync, 'us')}, by hand {spread(both, 'us')}"
    return added / by_hand, note


def measure(people: int, rounds: int) -> list[Figure]:
    """Costs are what is added to the write without either."""
    figures = []
    with lab(synchronous_commit="off") as here:
        tables(here, people)
        apply_timed(here, here.plan(PLAN))
        writer = _Writer(here, people)
        # First, for the triggers are switched off and on below, and then everything is compared.
        figures += [_applier(here, rounds), _delay(here, writer)]
        single, note = _cost(here, writer, 1, 2000, rounds)
        figures.append(Figure("cost of sync, single rows", "0.7 x", "0.4 x", f"{single:.2f} x", note))
        bulk, note = _cost(here, writer, 1000, 50, rounds)
        figures.append(Figure("cost of sync, 1,000 rows", "0.5 x", "0.3 x", f"{bulk:.2f} x", note))
    return figures


def _applier(here: Lab, rounds: int) -> Figure:
    target = here.one("SELECT id FROM lockgate.sync_targets")
    rates = []
    with Sessions(here.dsn).open("bench") as conn:
        epoch = here.one(f"UPDATE lockgate.sync_targets SET epoch = epoch + 1 WHERE id = {target} RETURNING epoch")
        applier = Applier(conn, group.load(conn, target), epoch)
        _drain(applier)
        for number in range(rounds):
            for low in range(0, 60_000, 6_000):
                here.run(
                    f"UPDATE old.emails SET email = 'New{number}x' || id || '@Example.com' "
                    f"WHERE id > {low} AND id <= {low + 5_000}",
                    f"UPDATE old.people SET country_id = country_id % 200 + 1 WHERE id > {low} AND id <= {low + 1_000}",
                )
            here.run("UPDATE old.countries SET code = code || 'x' WHERE id = 1")
            started = time.perf_counter()
            changes = _drain(applier)
            rates.append(changes / (time.perf_counter() - started))
    note = f"three joined relations, {rounds} rounds: {spread(rates, 'a second')}"
    return Figure("applier, changes a second", "50,000", "150,000", f"{statistics.median(rates):,.0f}", note)


def _drain(applier: Applier) -> int:
    changes = 0
    while True:
        batch = applier.run()
        changes += batch.changes
        if not batch.changes and not batch.pending:
            return changes


def arrival(conn: psycopg.Connection[Any], number: int) -> float:
    """Insert a row into the old model; the seconds until it is in the new one."""
    conn.execute("INSERT INTO old.emails VALUES (%s, 1, %s)", (number, f"Probe{number}@x"))
    there = "SELECT 1 FROM new.contacts WHERE person_id = 1 AND value = %s"
    started = time.perf_counter()
    while not conn.execute(there, (f"probe{number}@x",)).fetchone():
        time.sleep(0.005)
        assert time.perf_counter() - started < _PATIENCE, "it never came"
    return time.perf_counter() - started


def _delay(here: Lab, writer: _Writer, seconds: float = 20.0) -> Figure:
    waits: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        with psycopg.connect(here.dsn, autocommit=True) as conn:
            while not stop.is_set():
                waits.append(arrival(conn, writer.next + 500_000_000 + len(waits)))

    with applying(Sessions(here.dsn), "bench", SystemClock(), lambda message: None):
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < seconds:
            writer.write(1, 100, both=False)
            done += 100
            ahead = done / 2000 - (time.perf_counter() - started)
            if ahead > 0:
                time.sleep(ahead)
        rate = done / (time.perf_counter() - started)
        stop.set()
        watcher.join(10)
    median = f"median {statistics.median(waits) * 1000:.0f} ms"
    note = f"{len(waits)} probes while {rate:,.0f} transactions a second were written: {median}"
    return Figure(
        "99 % of changes applied within", "500 ms", "500 ms", f"{percentile(waits, 0.99) * 1000:.0f} ms", note
    )
