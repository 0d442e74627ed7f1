"""What the server counts of tables, kept and judged."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from lockgate.ledger import install
from lockgate.usage import samples
from lockgate.usage.samples import Sample
from lockgate.usage.tables import matching
from lockgate.usage.window import READS, WRITES, Window, judge
from tests.conftest import StartServer
from tests.waiting import lives, wait_until

Conn = psycopg.Connection[Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


class Bench:
    """A table that is sampled; an hour passes between two samples."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.now = START
        conn.execute("CREATE SCHEMA core CREATE TABLE phones (id int PRIMARY KEY, n text)")
        self.act("INSERT INTO core.phones VALUES (1, 'a'), (2, 'b')")

    def act(self, *statements: str) -> None:
        """Do something, and have it counted."""
        for statement in statements:
            self.conn.execute(statement.encode())
        self.conn.execute("SELECT pg_stat_force_next_flush()")

    def read(self) -> list[Sample]:
        tables, _ = matching(self.conn, ["core.*"])
        return samples.read(self.conn, "shop", [table.oid for table in tables], self.now)

    def sample(self) -> None:
        samples.keep(self.conn, "shop", self.read())
        self.now += timedelta(hours=1)

    def window(self, counted: tuple[str, ...] = READS + WRITES, since: datetime = START) -> Window:
        return judge(samples.kept(self.conn, "shop", "core", "phones", since), counted, since)


@pytest.fixture
def bench(conn: Conn) -> Bench:
    return Bench(conn)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def test_a_table_that_nobody_uses_is_unused_since_the_first_sample(bench: Bench) -> None:
    for _ in range(3):
        bench.sample()
    assert bench.window() == Window(START, (), ())


@pytest.mark.parametrize(
    ("statement", "counts"),
    [
        ("SELECT count(*) FROM core.phones", {"seq_scan": 1}),
        ("SET enable_seqscan = off; SELECT * FROM core.phones WHERE id = 1", {"idx_scan": 1}),
        ("INSERT INTO core.phones VALUES (3, 'c'), (4, 'd')", {"n_tup_ins": 2}),
        ("UPDATE core.phones SET n = 'x'", {"seq_scan": 1, "n_tup_upd": 2}),
        ("DELETE FROM core.phones", {"seq_scan": 1, "n_tup_del": 2}),
    ],
)
def test_a_use_begins_the_time_anew(bench: Bench, statement: str, counts: dict[str, int]) -> None:
    bench.sample()
    bench.act(statement)
    bench.sample()
    bench.sample()
    window = bench.window()
    assert window.since == hour(1)
    [hit] = window.hits
    assert (hit.after, hit.before, hit.counts) == (hour(0), hour(1), counts)
    reads = bench.conn.info.server_version >= 160_000 and {"seq_scan", "idx_scan"} & set(counts)
    assert (hit.last_scan is not None) is bool(reads)


def test_who_asks_for_writes_only_sees_no_reads(bench: Bench) -> None:
    bench.sample()
    bench.act("SELECT count(*) FROM core.phones")
    bench.sample()
    assert bench.window(WRITES) == Window(START, (), ())
    bench.act("UPDATE core.phones SET n = 'x' WHERE id = 1")
    bench.sample()
    assert [hit.words for hit in bench.window(WRITES).hits] == ["1 rows updated"]


def test_a_failed_write_counts_for_it_was_tried(bench: Bench) -> None:
    bench.sample()
    bench.act("BEGIN", "INSERT INTO core.phones VALUES (9, 'x')", "ROLLBACK")
    bench.sample()
    assert [hit.counts for hit in bench.window(WRITES).hits] == [{"n_tup_ins": 1}]


def test_counters_that_were_set_to_zero_tell_nothing_of_before(bench: Bench) -> None:
    bench.sample()
    bench.act("SELECT pg_stat_reset()")
    bench.sample()
    window = bench.window()
    assert window.since == hour(1)
    assert [restart.at for restart in window.restarts] == [hour(1)]
    assert not window.hits


def test_the_counters_of_one_table_set_to_zero_are_noticed(bench: Bench) -> None:
    bench.sample()
    bench.act("SELECT pg_stat_reset_single_table_counters('core.phones'::regclass)")
    bench.sample()
    assert [restart.at for restart in bench.window().restarts] == [hour(1)]


def test_a_crash_of_the_server_begins_anew(own_server: StartServer) -> None:
    """It throws the counters away, and what was counted since may be more than before."""
    server = own_server()
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        install(conn)
        bench = Bench(conn)
        bench.sample()
        pid = conn.info.backend_pid
        os.kill(pid, signal.SIGKILL)

    def again() -> bool:
        try:
            bench.conn = psycopg.connect(server.dsn(), autocommit=True)
        except psycopg.OperationalError:
            return False
        return True

    wait_until(lambda: not lives(pid) and again(), what="the server has recovered")
    with bench.conn:
        bench.act(*["SELECT count(*) FROM core.phones"] * 3, "INSERT INTO core.phones VALUES (3), (4), (5)")
        bench.sample()
        assert [restart.at for restart in bench.window().restarts] == [hour(1)]


def test_another_table_of_the_same_name_begins_anew(bench: Bench) -> None:
    bench.sample()
    bench.act("DROP TABLE core.phones", "CREATE TABLE core.phones (id int)")
    bench.sample()
    assert [restart.why for restart in bench.window().restarts] == ["another table has its name"]


def test_only_what_is_asked_of_the_past_counts(bench: Bench) -> None:
    bench.sample()
    bench.act("SELECT count(*) FROM core.phones")
    for _ in range(4):
        bench.sample()
    assert len(bench.window(since=hour(0)).hits) == 1
    assert bench.window(since=hour(2)) == Window(hour(2), (), ())
    assert bench.window(since=hour(2) + timedelta(minutes=1)).since == hour(2)


def test_without_a_ledger_there_are_no_samples(conn: Conn) -> None:
    assert samples.kept(conn, "shop", "core", "phones", START) == []


def test_tables_are_found_by_patterns_with_their_partitions(conn: Conn) -> None:
    for statement in (
        "CREATE SCHEMA core",
        'CREATE SCHEMA "Core"',
        "CREATE TABLE core.entity_emails (id int)",
        "CREATE TABLE core.entity_phones (id int) PARTITION BY LIST (id)",
        "CREATE TABLE core.one PARTITION OF core.entity_phones FOR VALUES IN (1)",
        'CREATE TABLE core."entity_*" (id int)',
        "CREATE TABLE core.entityx (id int)",
        'CREATE TABLE "Core".entity_emails (id int)',
        "CREATE VIEW core.entity_view AS SELECT 1",
    ):
        conn.execute(statement.encode())

    def named(*patterns: str) -> list[str]:
        return [table.label for table in matching(conn, patterns)[0]]

    assert named("core.entity_*") == ["core.entity_*", "core.entity_emails", "core.entity_phones", "core.one"]
    assert named('core."entity_*"') == ["core.entity_*"]
    assert named("*.entity_emails") == ["Core.entity_emails", "core.entity_emails"]
    assert named("Core.*mails", '"Core".*') == ["Core.entity_emails", "core.entity_emails"]
    assert matching(conn, ["core.entity_mails", "core.entityx"])[1] == ["core.entity_mails"]


def test_a_start_of_the_server_begins_anew() -> None:
    one = Sample(1, "core", "phones", 0, 0, 0, 0, 0, None, None, None, START, hour(1))
    two = Sample(1, "core", "phones", 9, 0, 0, 0, 0, None, None, None, hour(2), hour(3))
    window = judge([one, two], READS)
    assert (window.since, window.hits) == (hour(3), ())
    assert [restart.why for restart in window.restarts] == ["the server was started again"]
