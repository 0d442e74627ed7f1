"""The canary of the demos notices who is kept waiting."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from lockgate.demo.canary import Probe, canary
from lockgate.engine.clock import SystemClock
from tests.waiting import wait_until

PROBES = {
    "held": Probe("SELECT n FROM held", "UPDATE held SET n = n"),
    "free": Probe("SELECT n FROM free", "UPDATE free SET n = n"),
}
HELD_SECONDS = 0.4


def _tables(conn: psycopg.Connection[Any]) -> None:
    for table in PROBES:
        conn.execute(f"CREATE TABLE {table} AS SELECT 1 AS n".encode())


def test_the_longest_wait_of_a_reader_and_of_a_writer_is_told_by_table(conn: psycopg.Connection[Any], dsn: str) -> None:
    _tables(conn)
    with canary(dsn, PROBES, SystemClock()) as watched:
        wait_until(lambda: min(each.writes for each in watched.waits.values()) > 2)
        with conn.transaction():
            conn.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            time.sleep(HELD_SECONDS)
        wait_until(lambda: watched.waits["held"].write_ms > 0.7 * HELD_SECONDS * 1000)
    held, free = watched.waits["held"], watched.waits["free"]
    assert min(held.read_ms, held.write_ms) > 0.7 * HELD_SECONDS * 1000
    assert max(free.read_ms, free.write_ms) < min(held.read_ms, held.write_ms)
    assert min(held.reads, free.reads) > 2
    assert watched.failures == []


def test_a_probe_that_fails_is_told(conn: psycopg.Connection[Any], dsn: str) -> None:
    _tables(conn)
    conn.execute("ALTER TABLE free ADD CHECK (n < 0) NOT VALID")
    with canary(dsn, PROBES, SystemClock()) as watched:
        wait_until(lambda: bool(watched.failures))
    assert "free" in watched.failures[0]
    assert "free_n_check" in watched.failures[0]
