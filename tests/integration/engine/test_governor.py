from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from lockgate.embedded import EmbeddedServer
from lockgate.engine import health
from lockgate.engine.canary import Canary
from lockgate.engine.clock import SystemClock
from lockgate.engine.governor import Governor
from lockgate.engine.health import Signal, Verdict
from lockgate.engine.session import Sessions
from lockgate.ledger import control
from lockgate.plan.models import HealthQuery, Settings
from tests.conftest import StartServer
from tests.copies import standby_of
from tests.integration.engine.plans import Told, one, rows
from tests.waiting import wait_until


@pytest.fixture
def ledger(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.load (x float8); INSERT INTO public.load VALUES (0)")
    return dsn


def governor(dsn: str, told: Told | None = None, **settings: Any) -> Governor:
    made = Settings(**settings)
    return Governor(Sessions(dsn, made), "shop", SystemClock(), told or Told(), made)


def wish(dsn: str, **changes: Any) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        control.set(conn, "shop", **changes)


def load(dsn: str, value: float) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("UPDATE public.load SET x = %s", (value,))


LOAD = HealthQuery(name="load", query="SELECT x FROM load", at_most=10)


class Work(threading.Thread):
    """A worker: chunk after chunk, each of which it counts."""

    def __init__(self, governor: Governor) -> None:
        super().__init__(daemon=True)
        self._governor = governor
        self.stop = threading.Event()
        self.chunks = 0
        self.rows = 0

    def run(self) -> None:
        while self._governor.permit(self.stop):
            self.chunks += 1
            self.rows = self._governor.after_chunk(1000, 0.01, self.stop)
            self.stop.wait(0.01)

    def __enter__(self) -> Work:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()

    def works(self) -> None:
        before = self.chunks
        wait_until(lambda: self.chunks > before + 3)

    def stands(self) -> None:
        """One chunk may still be under way when the word comes."""
        before = self.chunks
        time.sleep(0.5)
        assert self.chunks <= before


def test_pause_and_resume_are_obeyed_within_one_chunk(ledger: str) -> None:
    told = Told()
    with governor(ledger, told) as ours, Work(ours) as work:
        work.works()
        wish(ledger, paused=True, reason="a release")
        wait_until(lambda: told.waits)
        work.stands()
        wish(ledger, paused=False)
        work.works()
    assert told.waits == [("paused: a release", "lockgate resume"), ("", "")]


def test_a_paused_worker_stops_when_it_is_told_to(ledger: str) -> None:
    wish(ledger, paused=True)
    told = Told()
    with governor(ledger, told) as ours, Work(ours) as work:
        wait_until(lambda: told.waits)
        work.stop.set()
        work.join(60)
        assert not work.is_alive()
        assert work.chunks == 0


def test_holds_while_a_query_of_the_plan_says_so(ledger: str) -> None:
    told = Told()
    with governor(ledger, told, health=(LOAD,)) as ours, Work(ours) as work:
        work.works()
        load(ledger, 11)
        wait_until(lambda: told.waits)
        work.stands()
        load(ledger, 9)
        work.works()
    assert told.waits[0][0] == "load is 11 (limit 10)"
    assert told.waits[-1] == ("", "")


def test_workers_and_chunks_can_be_tuned_live(ledger: str) -> None:
    with governor(ledger, workers=2, chunk_rows=500) as ours:
        ours.refresh()
        assert (ours.workers(), ours.chunk_rows()) == (2, 500)
        wish(ledger, workers=4, chunk_rows=123)
        ours.refresh()
        assert (ours.workers(), ours.chunk_rows()) == (4, 123)
        assert ours.after_chunk(123, 0.01, threading.Event()) == 123
        wish(ledger, workers=None, chunk_rows=None)
        ours.refresh()
        assert ours.workers() == 2
        assert ours.after_chunk(1000, 0.01, threading.Event()) == 2000


def test_an_unknown_signal_is_reported_and_never_holds(ledger: str) -> None:
    broken = HealthQuery(name="broken", query="SELECT 'secret 4711'::int", at_most=1)
    with governor(ledger, health=(broken,)) as ours:
        assert ours.permit(threading.Event())
        (signal,) = (s for s in ours.health().signals if s.name == "broken")
    assert signal.verdict is Verdict.UNKNOWN
    assert "4711" not in signal.reason


def test_a_signal_that_takes_too_long_is_unknown(ledger: str) -> None:
    slow = HealthQuery(name="slow", query="SELECT 1 FROM pg_sleep(60)", at_most=1)
    with governor(ledger, health=(slow,)) as ours:
        assert ours.permit(threading.Event())
        assert next(s for s in ours.health().signals if s.name == "slow").verdict is Verdict.UNKNOWN


def test_survives_its_connection_being_cut(ledger: str) -> None:
    with governor(ledger) as ours, Work(ours) as work:
        work.works()
        rows(
            ledger, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lockgate:health'"
        )
        work.works()


# --- the canary -------------------------------------------------------------------------------------------


def test_holds_while_the_canary_is_slow(ledger: str) -> None:
    """The probe reads the lease; whoever locks that table out makes it slow."""
    told = Told()
    limit = timedelta(milliseconds=500)
    with governor(ledger, told, max_latency=limit, max_waiting_sessions=99) as ours, Work(ours) as work:
        work.works()
        assert work.rows == 2000
        with psycopg.connect(ledger) as blocker:
            blocker.execute("LOCK TABLE lockgate.lease")
            wait_until(lambda: told.waits)
            work.stands()
    assert "a probe statement takes" in told.waits[0][0]


def test_the_canary_measures(ledger: str) -> None:
    canary = Canary(Sessions(ledger), SystemClock())
    assert canary.latency() is None
    canary.start()
    try:
        assert wait_until(canary.latency)
    finally:
        canary.stop()


# --- signals ----------------------------------------------------------------------------------------------


def signal(dsn: str, look: health.Look, **settings: Any) -> Signal:
    made = Settings(**settings)
    with Sessions(dsn, made).open("health") as conn:
        return health.examine(conn, made, [look])[0]


def test_waiting_sessions(ledger: str) -> None:
    assert signal(ledger, health.waiting_sessions).verdict is Verdict.GO

    def wait() -> None:
        with psycopg.connect(ledger) as conn:
            conn.execute("SELECT * FROM public.load")

    with psycopg.connect(ledger) as blocker:
        blocker.execute("LOCK TABLE public.load")
        waiter = threading.Thread(target=wait)
        waiter.start()
        wait_until(lambda: one(ledger, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        assert signal(ledger, health.waiting_sessions, max_waiting_sessions=1).verdict is Verdict.GO
        held = signal(ledger, health.waiting_sessions, max_waiting_sessions=0)
        blocker.rollback()
        waiter.join()
    assert (held.verdict, held.value) == (Verdict.HOLD, 1.0)
    assert held.reason == "1 sessions wait for locks (limit 0)"


def test_our_own_sessions_that_wait_do_not_count(ledger: str) -> None:
    def wait() -> None:
        with Sessions(ledger, Settings(lock_timeout=timedelta(seconds=30))).open("step") as conn:
            conn.execute("SELECT * FROM public.load")

    with psycopg.connect(ledger) as blocker:
        blocker.execute("LOCK TABLE public.load")
        waiter = threading.Thread(target=wait)
        waiter.start()
        wait_until(lambda: one(ledger, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        found = signal(ledger, health.waiting_sessions, max_waiting_sessions=0)
        blocker.rollback()
        waiter.join()
    assert found.verdict is Verdict.GO


def test_no_replica_and_no_archive_are_fine(ledger: str) -> None:
    assert signal(ledger, health.ReplicaLag()).verdict is Verdict.GO
    assert signal(ledger, health.archiver).reason == "WAL is not archived"
    assert signal(ledger, health.vacuum).verdict is Verdict.GO


def test_dead_rows(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEAD_ROWS", 50)
    with psycopg.connect(ledger, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.dead (x int) WITH (autovacuum_enabled = off)")
        conn.execute("INSERT INTO public.dead SELECT generate_series(1, 100)")
        conn.execute("DELETE FROM public.dead")
    wait_until(lambda: signal(ledger, health.vacuum).verdict is Verdict.HOLD)
    assert "public.dead has 100 dead rows (limit 50)" in signal(ledger, health.vacuum).reason


def test_an_archiver_that_fails(own_server: StartServer) -> None:
    dsn = own_server(archive_mode="on", archive_command="/bin/false", fsync="off").dsn()
    with psycopg.connect(dsn, autocommit=True) as conn:
        for _ in range(2):
            conn.execute("SELECT pg_logical_emit_message(true, 'x', 'x'), pg_switch_wal()")
    wait_until(lambda: signal(dsn, health.archiver).value)
    assert signal(dsn, health.archiver).verdict is Verdict.GO
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE ROLE plain LOGIN")
    wait_until(lambda: one(dsn, "SELECT failed_count > 0 FROM pg_stat_archiver"))
    found = signal(psycopg.conninfo.make_conninfo(dsn, options="-c role=plain"), health.archiver)
    assert found.verdict is Verdict.HOLD
    assert "archiving fails" in found.reason


@pytest.fixture
def replica(own_server: StartServer) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary, and a replica of it that replays an hour late."""
    primary = own_server(fsync="off")
    with standby_of(primary, recovery_min_apply_delay="1h") as standby:
        yield primary, standby


def test_a_replica_that_stopped_replaying(replica: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    dsn = replica[0].dsn()
    wait_until(lambda: one(dsn, "SELECT count(*) FROM pg_stat_replication") == 1)
    settings = Settings(max_replica_lag=timedelta(seconds=1))
    look = health.ReplicaLag()
    with Sessions(dsn, settings).open("health") as conn, psycopg.connect(dsn, autocommit=True) as writer:
        writer.execute("CREATE TABLE t (x int)")
        first = look(conn, settings)
        assert first.verdict is Verdict.GO
        wait_until(lambda: look(conn, settings).verdict is Verdict.HOLD)
        held = look(conn, settings)
        conn.execute("CREATE ROLE plain LOGIN; SET ROLE plain")
        assert health.ReplicaLag()(conn, settings).verdict is Verdict.UNKNOWN
    assert held.value is not None
    assert 1 < held.value < 60
    assert "s behind (limit 1 s)" in held.reason
