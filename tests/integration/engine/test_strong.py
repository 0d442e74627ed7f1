from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from lockgate.engine.clock import SystemClock
from lockgate.engine.retry import Policy
from lockgate.engine.session import Sessions
from lockgate.engine.strong import StrongLock
from lockgate.errors import Interrupted, LockNotAcquired
from lockgate.plan.models import Settings
from tests.conftest import StartServer
from tests.integration.engine.plans import Told, one
from tests.waiting import wait_until

TIMEOUT = 0.3


def strong(
    dsn: str,
    *,
    retries: int = 3,
    relations: tuple[str, ...] = (),
    told: Told | None = None,
    stop: threading.Event | None = None,
    base: float = 0.05,
) -> StrongLock:
    return StrongLock(
        sessions=Sessions(dsn, Settings(lock_timeout=timedelta(seconds=TIMEOUT))),
        policy=Policy(retries, base=base, cap=base),
        clock=SystemClock(),
        progress=told or Told(),
        stop=stop or threading.Event(),
        purpose="step",
        where="plan.yaml:7:9",
        relations=relations,
    )


def alter(conn: Connection[Any]) -> None:
    conn.execute("ALTER TABLE public.t ADD COLUMN extra int")


@pytest.fixture
def table(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.t (id int); INSERT INTO public.t VALUES (1)")
    return dsn


@contextmanager
def reader_in_a_transaction(dsn: str, *, old: float = 0.0) -> Iterator[Connection[Any]]:
    with psycopg.connect(dsn, application_name="reports") as conn:
        conn.execute("SELECT id FROM public.t WHERE id = 424242")
        if old:
            wait_until(lambda: one(dsn, _OLDEST) > old)
        yield conn
        conn.rollback()


_OLDEST = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8"
    " FROM pg_stat_activity WHERE application_name = 'reports'"
)


class Canary(threading.Thread):
    """A reader of the application: how long did its longest SELECT take?"""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self._ended = threading.Event()
        self.reads = 0
        self.longest = 0.0

    def run(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as conn:
            while not self._ended.wait(0.005):
                started = time.monotonic()
                conn.execute("SELECT * FROM public.t")
                self.longest = max(self.longest, time.monotonic() - started)
                self.reads += 1

    def __enter__(self) -> Canary:
        self.start()
        wait_until(lambda: self.reads > 3)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def when(condition: Callable[[], object], do: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        wait_until(condition)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_blocked_ddl_gives_up_and_never_holds_readers_up_longer_than_its_timeout(table: str) -> None:
    with reader_in_a_transaction(table), Canary(table) as canary, pytest.raises(LockNotAcquired):
        strong(table).do(alter)
    assert canary.reads > 20
    assert canary.longest < TIMEOUT + 0.25  # the margin is for a busy machine
    assert one(table, "SELECT count(*) FROM pg_attribute WHERE attname = 'extra'") == 0


def test_does_not_queue_again_behind_a_blocker_that_it_has_seen(table: str) -> None:
    tries = []

    def work(conn: Connection[Any]) -> None:
        tries.append(1)
        alter(conn)

    with reader_in_a_transaction(table), pytest.raises(LockNotAcquired):
        strong(table, retries=10).do(work)
    assert len(tries) == 1


def test_does_not_queue_at_all_behind_a_long_transaction(table: str) -> None:
    tries = []
    with (
        reader_in_a_transaction(table, old=1.1),
        Canary(table) as canary,
        pytest.raises(LockNotAcquired),
    ):
        strong(table, relations=('"public"."t"', '"public"."not_there"')).do(lambda conn: tries.append(1))
    assert not tries
    assert canary.longest < TIMEOUT


def test_names_the_blocker_without_its_values(table: str) -> None:
    told = Told()
    with reader_in_a_transaction(table) as reader:
        pid, user = reader.info.backend_pid, reader.info.user
        with pytest.raises(LockNotAcquired) as caught:
            strong(table, told=told).do(alter)
    error = caught.value
    assert error.where == "plan.yaml:7:9"
    assert error.why is not None
    for part in (
        f"process {pid}",
        "idle in transaction",
        f"user {user}",
        "application reports",
        "on public.t",
        "SELECT id FROM public.t WHERE id = ?",
    ):
        assert part in error.why
    assert "424242" not in str(error)
    assert f"pg_terminate_backend({pid})" in str(error.hint)
    assert any(f"process {pid}" in reason for reason, _ in told.waits)


def test_goes_on_when_the_blocker_has_gone(table: str) -> None:
    told = Told()
    with reader_in_a_transaction(table) as reader:
        thread = when(lambda: told.waits, reader.rollback)
        strong(table, retries=1000, told=told).do(alter)
        thread.join()
    assert one(table, "SELECT count(*) FROM pg_attribute WHERE attname = 'extra'") == 1
    assert told.waits[-1] == ("", "")


def test_names_a_prepared_transaction(table: str) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("BEGIN; UPDATE public.t SET id = 2; PREPARE TRANSACTION 'forgotten'")
        try:
            with pytest.raises(LockNotAcquired) as caught:
                strong(table).do(alter)
        finally:
            conn.execute("ROLLBACK PREPARED 'forgotten'")
    assert "prepared transaction 'forgotten'" in str(caught.value.why)
    assert "ROLLBACK PREPARED 'forgotten'" in str(caught.value.hint)


def test_survives_a_connection_that_is_cut(table: str) -> None:
    pids = []

    def work(conn: Connection[Any]) -> None:
        pids.append(conn.info.backend_pid)
        if len(pids) == 1:
            with psycopg.connect(table, autocommit=True) as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", (pids[0],))
        alter(conn)

    strong(table).do(work)
    assert len(set(pids)) == 2


def test_does_not_repeat_an_error_that_stays(table: str) -> None:
    tries = []

    def work(conn: Connection[Any]) -> None:
        tries.append(1)
        conn.execute("ALTER TABLE public.not_there ADD COLUMN x int")

    with pytest.raises(psycopg.errors.UndefinedTable):
        strong(table).do(work)
    assert len(tries) == 1


def test_stops_while_it_waits(table: str) -> None:
    stop = threading.Event()
    told = Told()
    with reader_in_a_transaction(table):
        thread = when(lambda: told.waits, stop.set)
        with pytest.raises(Interrupted):
            strong(table, retries=1000, told=told, stop=stop, base=30.0).do(alter)
        thread.join()


def test_makes_an_autovacuum_give_way(own_server: StartServer) -> None:
    """Its lock is given up only to who waits longer than deadlock_timeout, which lock_timeout is below."""
    server = own_server(autovacuum_naptime="1s", fsync="off", autovacuum_vacuum_insert_threshold="-1")
    dsn = server.dsn()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE public.t (id int) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
        )
        conn.execute("INSERT INTO public.t SELECT generate_series(1, 300000)")
        conn.execute("DELETE FROM public.t WHERE id % 2 = 0")
    wait_until(lambda: one(dsn, "SELECT count(*) FROM pg_stat_progress_vacuum") == 1, 60)
    with Canary(dsn) as canary:
        strong(dsn, retries=10).do(alter)
    assert one(dsn, "SELECT count(*) FROM pg_attribute WHERE attname = 'extra'") == 1
    assert canary.longest < 1.0
