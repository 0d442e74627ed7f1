"""Waiting for the keys that need a second look: it is told which transaction that takes so long for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.engine.clock import FakeClock
from lockgate.engine.settling import settle
from lockgate.errors import Interrupted
from lockgate.plan.models import Settings
from lockgate.status import sync
from tests.integration.engine.plans import Told
from tests.integration.mapping.harness import PLAN, Bench, Mapped
from tests.waiting import wait_until

XID = "SELECT pg_current_xact_id()"


def done_mapping(bench: Bench, **step: str) -> Mapped:
    """A mapping that is done."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY); CREATE TABLE new.c (id int PRIMARY KEY)",
        "INSERT INTO old.p VALUES (1)",
    )
    return bench.map(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id FROM old.p s", **step)


def note(bench: Bench, mapped: Mapped) -> None:
    """Have a key looked at again when every transaction has ended that is open now."""
    bench.sql(f"INSERT INTO lockgate.recheck_{mapped.target_id} SELECT 1, pg_current_xact_id()")


def told_while(bench: Bench, mapped: Mapped, expected: str, end: Callable[[], object]) -> list[tuple[str, str]]:
    """Settle; what was told until somebody ends the transaction that is waited for."""
    told, stop = Told(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(settle, bench.sessions, mapped.target_id, FakeClock(), stop, "plan.yaml:1:1", told)
        try:
            wait_until(lambda: done.done() or any(expected in reason for reason, _ in told.waits), what="it is told")
            end()
            if mapped.load().compiled[0].definition.sync:
                mapped.drain()
            done.result(60)
        finally:
            stop.set()
    assert told.waits[-1] == ("", "")
    return [wait for wait in told.waits if expected in wait[0]]


@pytest.mark.parametrize("mode", ["deferred", "none"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_open_transaction_is_named(bench: Bench, elsewhere: bool, mode: str) -> None:
    """Also one of another database, without the values of its statement."""
    mapped = done_mapping(bench, sync=mode)
    dsn = make_conninfo(bench.dsn, dbname="postgres", application_name="holder") if elsewhere else bench.dsn
    with psycopg.connect(dsn) as other:
        other.execute(XID + " WHERE 'secret' <> ''")
        note(bench, mapped)
        pid, database = other.info.backend_pid, other.info.dbname
        waits = told_while(bench, mapped, f"process {pid} ", other.rollback)
    reason, release = waits[0]
    assert f"in database {database}" in reason
    assert f"{XID} WHERE ? <> ?" in reason
    assert release == f"SELECT pg_terminate_backend({pid})"


def test_a_prepared_transaction_is_named(bench: Bench) -> None:
    """Nobody is connected that could be seen."""
    if bench.one("SHOW max_prepared_transactions") == "0":
        pytest.skip("this server has no prepared transactions")
    mapped = done_mapping(bench)
    name = f"held_{mapped.bench.conn.info.backend_pid}"
    bench.sql("BEGIN", "INSERT INTO new.c VALUES (2)", f"PREPARE TRANSACTION '{name}'")
    note(bench, mapped)
    release = f"ROLLBACK PREPARED '{name}'"
    waits = told_while(bench, mapped, f"prepared transaction '{name}'", lambda: bench.sql(release))
    assert waits[0][1] == release


def test_the_status_says_what_keys_wait_for(bench: Bench) -> None:
    """Where it counts them."""
    mapped = done_mapping(bench)
    with psycopg.connect(bench.dsn) as other:
        other.execute(XID)
        note(bench, mapped)

        def waits_for() -> str:
            (found,) = sync.targets(bench.conn, PLAN, Settings())
            assert found.recheck == 1
            return found.recheck_waits_for or ""

        wait_until(lambda: f"process {other.info.backend_pid} " in waits_for(), what="it is said")


def test_it_can_be_stopped_while_it_waits(bench: Bench) -> None:
    """Also where no service does the work."""
    mapped = done_mapping(bench, sync="none")
    with psycopg.connect(bench.dsn) as other:
        other.execute(XID)
        note(bench, mapped)
        stop = threading.Event()
        stop.set()
        with pytest.raises(Interrupted):
            settle(bench.sessions, mapped.target_id, FakeClock(), stop, "plan.yaml:1:1", Told())
