"""What Lockgate itself does to tables that are sampled is written down exactly, whatever way it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import scalar_row

from lockgate.backup.dumping import dumping
from lockgate.engine.session import Sessions
from lockgate.usage import samples
from lockgate.usage.own import OwnConnection
from lockgate.usage.samples import COUNTERS, Sample
from lockgate.usage.tables import matching
from lockgate.usage.window import READS, WRITES, Window, judge
from tests.waiting import wait_until

Conn = psycopg.Connection[Any]
NOON = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = """
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."Phönes" (id int PRIMARY KEY, n text,
    other int REFERENCES "Odd"."Phönes" DEFERRABLE INITIALLY DEFERRED);
INSERT INTO "Odd"."Phönes" SELECT i, i, NULL FROM generate_series(1, 20000) i;
CREATE PROCEDURE "Odd".both() LANGUAGE plpgsql AS $$ BEGIN
    PERFORM count(*) FROM "Odd"."Phönes"; COMMIT; PERFORM count(*) FROM "Odd"."Phönes"; END $$;
ANALYZE
"""
COUNT = b'SELECT count(*) FROM "Odd"."Ph\xc3\xb6nes"'
INSERT = b'INSERT INTO "Odd"."Ph\xc3\xb6nes" VALUES (%s, %s)'
NO_OTHER = b'UPDATE "Odd"."Ph\xc3\xb6nes" SET other = -1 WHERE id = 1'


class Bench:
    """A table that is sampled, and Lockgate's sessions."""

    def __init__(self, conn: Conn, dsn: str) -> None:
        self.conn, self.sessions = conn, Sessions(dsn)
        conn.execute(SHOP.encode())
        conn.execute("SELECT pg_stat_force_next_flush()")

    def watch(self) -> None:
        samples.watch(self.conn, [table.oid for table in matching(self.conn, ['"Odd".*'])[0]])
        self.first = self.sample()

    def sample(self) -> Sample:
        tables, _ = matching(self.conn, ['"Odd".*'])
        [sample] = samples.read(self.conn, "shop", [table.oid for table in tables], NOON)
        return sample

    def keep(self) -> None:
        samples.keep(self.conn, "shop", [self.sample()])

    def others(self) -> dict[str, tuple[int, int]]:
        """What others did since the first sample: at least, at most."""
        now = self.sample()
        grown = {
            name: (now.least(name) - self.first.least(name), now.most(name) - self.first.most(name))
            for name in COUNTERS
        }
        return {name: both for name, both in grown.items() if both != (0, 0)}

    def own(self) -> dict[str, dict[str, int]]:
        return self.sample().own

    def window(self) -> Window:
        return judge([self.first, self.sample()], READS + WRITES)


@pytest.fixture
def bench(conn: Conn, dsn: str) -> Bench:
    bench = Bench(conn, dsn)
    bench.watch()
    return bench


def bare(conn: OwnConnection) -> None:
    conn.execute(COUNT)


def with_parameters(conn: OwnConnection) -> None:
    assert conn.cursor(row_factory=scalar_row).execute(COUNT + b" WHERE n = %s", ("7",)).fetchone() == 1


def prepared(conn: OwnConnection) -> None:
    conn.prepare_threshold = 2**31
    for _ in range(3):
        conn.execute(COUNT, prepare=True)


def many(conn: OwnConnection) -> None:
    conn.cursor().executemany(INSERT, [(-2, "a"), (-3, "b")])


def together(conn: OwnConnection) -> None:
    with conn.transaction():
        conn.execute(COUNT)
        conn.execute(INSERT, (-1, "x"))
        with conn.transaction():
            conn.execute(COUNT)


def partly_taken_back(conn: OwnConnection) -> None:
    with conn.transaction():
        with conn.transaction(force_rollback=True):
            conn.execute(INSERT, (-1, "x"))
        with pytest.raises(psycopg.DataError), conn.transaction():
            conn.execute(b'SELECT 1 / (count(*) - count(*)) FROM "Odd"."Ph\xc3\xb6nes"')


def taken_back(conn: OwnConnection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute(INSERT, (-1, "x"))


def explicitly_taken_back(conn: OwnConnection) -> None:
    with conn.transaction():
        conn.execute(INSERT, (-1, "x"))
        raise psycopg.Rollback


def refused(conn: OwnConnection) -> None:
    with pytest.raises(psycopg.DataError):
        conn.execute(b'SELECT 1 / (count(*) - count(*)) FROM "Odd"."Ph\xc3\xb6nes"')


def refused_together(conn: OwnConnection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        _twice(conn)


def _twice(conn: OwnConnection) -> None:
    with conn.transaction():
        conn.execute(COUNT)
        conn.execute(INSERT, (1, "x"))


def refused_at_the_end(conn: OwnConnection) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
        conn.execute(NO_OTHER)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        conn.execute(NO_OTHER)


def failed_and_went_on(conn: OwnConnection) -> None:
    with conn.transaction(), pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(INSERT, (1, "x"))


def stepwise(conn: OwnConnection) -> None:
    with conn.transaction(), conn.cursor(name="few") as cursor:
        cursor.execute(COUNT.replace(b"count(*)", b"id"))
        assert len(cursor.fetchmany(10)) == 10


def index_built_alone(conn: OwnConnection) -> None:
    conn.execute(b'CREATE INDEX CONCURRENTLY ON "Odd"."Ph\xc3\xb6nes" (n)')


def procedure_that_commits(conn: OwnConnection) -> None:
    conn.execute('CALL "Odd".both()')


def left_open(conn: OwnConnection) -> None:
    conn.execute("BEGIN")
    conn.execute(COUNT)
    conn.close()


WAYS = [
    bare, with_parameters, prepared, many, together, partly_taken_back, taken_back, explicitly_taken_back, refused,
    refused_together, refused_at_the_end, failed_and_went_on, stepwise, index_built_alone, procedure_that_commits,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_work_is_counted_exactly_while_the_session_goes_on(
    bench: Bench, way: Callable[[OwnConnection], None]
) -> None:
    with bench.sessions.open("work") as conn:
        way(conn)
        assert bench.own()["work"]
        assert bench.others() == {}
        assert bench.sample().settled
        conn.execute(COUNT)
        assert bench.others() == {}
    assert bench.window() == Window(NOON, (), (), bench.own())


@pytest.mark.parametrize("read_only", [True, False])
def test_who_only_reads_is_counted_too(bench: Bench, read_only: bool) -> None:
    with bench.sessions.open("check", plan_sql=True, read_only=read_only) as conn:
        conn.execute("SET enable_seqscan = off")
        conn.execute(b'SELECT n FROM "Odd"."Ph\xc3\xb6nes" WHERE id = 5')
        assert bench.own()["check"] == {"idx_scan": 1}
        assert bench.others() == {}
        if read_only:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                conn.execute("CREATE TABLE t ()")


def test_what_others_do_is_told_apart(bench: Bench) -> None:
    with bench.sessions.open("work") as conn:
        conn.execute(COUNT)
        bench.conn.execute(COUNT)
        bench.conn.execute("SELECT pg_stat_force_next_flush()")
        conn.execute(COUNT)
    assert bench.others() == {"seq_scan": (1, 1)}
    [hit] = bench.window().hits
    assert hit.counts == {"seq_scan": 1}
    assert bench.window().own == {"work": {"seq_scan": 2}}
    assert bench.window().own_words == "2 sequential scans (2 work)"


def test_sessions_that_have_ended_are_put_together(bench: Bench) -> None:
    for _ in range(3):
        with bench.sessions.open("work") as conn:
            conn.execute(COUNT)
    with bench.sessions.open("check") as conn:
        conn.execute(COUNT)
        bench.keep()
        conn.execute(COUNT)
        bench.keep()
    there = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'lockgate:check' AND datname = current_database()"
    )
    wait_until(lambda: bench.conn.execute(there).fetchone() == (0,), what="the session has ended")
    bench.keep()
    assert bench.conn.execute("SELECT count(*) FROM lockgate.own_work WHERE session IS NOT NULL").fetchone() == (0,)
    assert bench.conn.execute("SELECT count(*) FROM lockgate.own_sessions").fetchone() == (0,)
    assert bench.own() == {"check": {"seq_scan": 2}, "work": {"seq_scan": 3}}
    assert bench.others() == {}


def test_nothing_is_done_where_no_table_is_watched(conn: Conn, dsn: str) -> None:
    bench = Bench(conn, dsn)
    with bench.sessions.open("work") as own:
        own.execute(COUNT)
        assert own.own_session is None
    assert conn.execute("SELECT count(*) FROM lockgate.own_sessions").fetchone() == (0,)


def test_a_session_older_than_the_first_sample_is_a_gap_and_then_counts(conn: Conn, dsn: str) -> None:
    bench = Bench(conn, dsn)
    with bench.sessions.open("work") as own:
        own._monotonic = lambda: 0.0  # its ten seconds do not pass, and then they do
        own._asked = 0.0
        bench.watch()
        bench.keep()
        own.execute(COUNT)
        own.execute("SELECT pg_stat_force_next_flush()")
        own._monotonic = lambda: 10.0
        own.execute(COUNT)
        window = bench.window()
        assert (window.hits, len(window.restarts)) == ((), 1)
        assert window.restarts[0].why == (
            "work of Lockgate's own was not counted: work, begun before the first sample, work, not counted"
        )
        assert bench.own() == {"work": {"seq_scan": 1}}


def test_a_session_that_was_killed_is_no_user_of_the_table(bench: Bench) -> None:
    bench.keep()
    own = bench.sessions.open("reconcile")

    def killed_meanwhile() -> None:
        with own.transaction():
            own.execute(COUNT)
            bench.conn.execute("SELECT pg_terminate_backend(%s, 10000)", (own.info.backend_pid,))
            own.execute(COUNT)

    with pytest.raises(psycopg.OperationalError):
        killed_meanwhile()
    own.close()
    window = bench.window()
    assert (window.hits, [restart.why for restart in window.restarts]) == (
        (),
        ["work of Lockgate's own was not counted: reconcile, killed"],
    )
    bench.keep()
    bench.first = bench.sample()
    bench.conn.execute(COUNT)
    bench.conn.execute("SELECT pg_stat_force_next_flush()")
    bench.keep()
    bench.first, later = bench.sample(), bench.sample()
    assert later.gaps == []


def test_a_session_that_ends_in_a_transaction_is_counted(bench: Bench) -> None:
    own = bench.sessions.open("work")
    left_open(own)
    wait_until(lambda: bench.sample().seq_scan > bench.first.seq_scan, what="the server has counted")
    assert bench.others() == {}
    assert bench.own() == {"work": {"seq_scan": 1}}


def test_a_failure_to_write_it_down_fails_nobody_and_is_a_gap(bench: Bench) -> None:
    bench.keep()
    with bench.sessions.open("work") as conn:
        bench.conn.execute("ALTER TABLE lockgate.own_work ADD CHECK (seq_scan < 1)")
        assert conn.execute(COUNT).fetchone() == (20000,)
        assert conn.execute(COUNT).fetchone() == (20000,)
    assert bench.sample().gaps == ["work, killed"] or bench.sample().gaps == ["work, not counted"]


def test_a_ledger_that_is_removed_fails_nobody(bench: Bench) -> None:
    with bench.sessions.open("work") as conn:
        conn.execute("DROP SCHEMA lockgate CASCADE")
        assert conn.execute(COUNT).fetchone() == (20000,)


def test_where_the_server_counts_when_it_likes_nothing_is_counted_twice(bench: Bench) -> None:
    """As before PostgreSQL 15: what a session did before may still wait to be counted when it does more."""
    row = bench.conn.execute("SELECT pg_get_functiondef('lockgate.count_own(uuid)'::regprocedure)").fetchone()
    assert row is not None
    assert "150000" in row[0]
    bench.conn.execute(row[0].replace("150000", "999999"))
    with bench.sessions.open("work") as conn:
        for way in WAYS:
            if way is not together:  # what it inserts would be in the way of the others
                way(conn)
            assert bench.sample().least("seq_scan") <= bench.first.least("seq_scan")
    ended = bench.sample
    wait_until(lambda: ended().least("seq_scan") == bench.first.least("seq_scan"), what="the server has counted")
    assert bench.others() == {}


def test_what_pg_dump_reads_is_unsure_until_it_has_ended(bench: Bench) -> None:
    bench.conn.execute('CREATE TABLE "Odd".parts (id int) PARTITION BY LIST (id)')
    bench.conn.execute('CREATE TABLE "Odd".part PARTITION OF "Odd".parts DEFAULT')
    tables = [table.oid for table in matching(bench.conn, ['"Odd".*'])[0]]
    samples.watch(bench.conn, tables)

    def read() -> dict[str, tuple[int, int]]:
        """Of each table, how often others read it: at least, at most."""
        taken = samples.read(bench.conn, "shop", tables, NOON)
        assert taken[0].gaps == []
        return {one.table_name: (one.least("seq_scan"), one.most("seq_scan")) for one in taken}

    before = read()
    top = [table.oid for table in matching(bench.conn, ['"Odd".parts'])[0] if table.name == "parts"]
    with dumping(bench.sessions, top) as name:
        assert name.startswith("lockgate:dump:")
        assert read() == {**before, "part": (-1, 0)}
        with psycopg.connect(bench.sessions.dsn, autocommit=True, application_name=name) as dump:
            dump.execute('SELECT count(*) FROM "Odd".part')
            assert read()["part"] in {(-1, 0), (0, 1)}  # not counted yet, or counted
    assert read() == before


def test_a_pg_dump_that_fails_is_a_gap_and_hides_nothing(bench: Bench) -> None:
    bench.keep()
    oids = [table.oid for table in matching(bench.conn, ['"Odd".*'])[0]]
    with pytest.raises(RuntimeError), dumping(bench.sessions, oids):
        raise RuntimeError
    assert bench.own() == {}
    assert bench.sample().gaps in (["pg_dump, killed"], ["pg_dump, not counted"])
    bench.conn.execute(COUNT)
    bench.conn.execute("SELECT pg_stat_force_next_flush()")
    assert len(bench.window().restarts) == 1


def test_no_worker_works_where_its_leader_does_not_see_it(bench: Bench) -> None:
    with bench.sessions.open("work") as conn:
        conn.execute(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; "
            "SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off"
        )
        conn.execute(COUNT)
        index_built_alone(conn)
    assert bench.own()["work"]["seq_scan"] == 3
    assert bench.others() == {}
