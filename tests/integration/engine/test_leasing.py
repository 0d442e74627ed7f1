from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from datetime import timedelta

import psycopg
import pytest

from lockgate.engine.faults import fault
from lockgate.engine.leasing import holding
from lockgate.engine.session import Sessions
from lockgate.errors import ExitCode, LeaseHeld, LeaseLost
from lockgate.ledger import lease
from lockgate.ledger.lease import Lease
from tests.integration.engine.plans import Told, one
from tests.killing import call
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server  # the lease itself is tested on both


@pytest.fixture
def ledger(dsn: str) -> str:
    return dsn


def hold(
    dsn: str,
    holder: str = "first",
    *,
    ttl: float = 15.0,
    stop: threading.Event | None = None,
    told: Told | None = None,
) -> AbstractContextManager[Lease]:
    return holding(
        Sessions(dsn), holder, progress=told or Told(), stop=stop or threading.Event(), ttl=timedelta(seconds=ttl)
    )


def take_and_die(dsn: str) -> None:
    """Killed at ``lease.acquired``, or at ``test.held`` when its heart beats."""
    with hold(dsn, "the dead"):
        wait_until(
            lambda: one(dsn, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockgate:heartbeat'")
        )
        fault("test.held")


def test_a_second_runner_is_refused(ledger: str) -> None:
    with hold(ledger), pytest.raises(LeaseHeld) as caught, hold(ledger, "second"):
        pass
    assert "first" in caught.value.what
    assert caught.value.exit_code is ExitCode.LEASE_HELD


def test_is_free_afterwards(ledger: str) -> None:
    with hold(ledger) as first:
        pass
    with hold(ledger) as second:
        assert second.epoch > first.epoch


def test_lives_longer_than_its_time_because_its_heart_beats(ledger: str) -> None:
    with hold(ledger, ttl=2):
        began = one(ledger, "SELECT heartbeat_at FROM lockgate.lease")
        wait_until(lambda: one(ledger, "SELECT heartbeat_at FROM lockgate.lease") > began + timedelta(seconds=3))
        with pytest.raises(LeaseHeld), hold(ledger, "second", ttl=2):
            pass


@pytest.mark.parametrize("point", ["lease.acquired", "test.held"])
def test_takes_over_from_a_killed_process_at_once(ledger: str, point: str) -> None:
    assert call("tests.integration.engine.test_leasing:take_and_die", ledger, fault=point).killed
    told = Told()
    started = time.monotonic()
    with hold(ledger, "second", told=told):
        assert time.monotonic() - started < 5.0
        assert one(ledger, "SELECT holder FROM lockgate.lease") == "second"
    assert any("was killed" in event for event in told.events)


def test_waits_for_a_lease_whose_holder_is_not_heard_of(ledger: str) -> None:
    with psycopg.connect(ledger, autocommit=True) as conn:
        lease.acquire(conn, "on another machine", timedelta(seconds=2))
        conn.execute("UPDATE lockgate.lease SET host = 'elsewhere'")
    told = Told()
    with hold(ledger, "second", told=told):
        assert one(ledger, "SELECT holder FROM lockgate.lease") == "second"
    assert told.waits[0][0].startswith("on another machine holds the lease")
    assert told.waits[-1] == ("", "")


def test_losing_it_ends_the_work_at_once(ledger: str) -> None:
    stop = threading.Event()
    sessions = Sessions(ledger)

    def work() -> None:
        with holding(sessions, "first", progress=Told(), stop=stop, ttl=timedelta(seconds=0.6)):
            with psycopg.connect(ledger, autocommit=True) as thief:
                thief.execute("UPDATE lockgate.lease SET epoch = epoch + 1, holder = 'thief'")
            with sessions.open("work") as conn:
                conn.execute("SELECT pg_sleep(60)")

    with pytest.raises(LeaseLost) as caught:
        work()
    assert caught.value.why is not None
    assert "thief" in caught.value.why
    assert stop.is_set()
    assert one(ledger, "SELECT holder FROM lockgate.lease") == "thief"
