"""The lease: one holder, judged by the server's clock, and fencing for those who lost it asleep."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from psycopg import Connection, errors

from lockgate.errors import ExitCode, LeaseHeld, LeaseLost
from lockgate.ledger import install, lease, uninstall
from lockgate.ledger.heartbeat import Heartbeat
from tests.integration.ledger.conftest import TTL, Connect
from tests.waiting import wait_until


def run_out(conn: Connection[Any]) -> None:
    """As if the holder had not been heard of for its ttl."""
    conn.execute(
        "UPDATE lockgate.lease SET expires_at = clock_timestamp(), heartbeat_at = heartbeat_at - interval '5 min'"
    )


@pytest.fixture
def held(ledger: Connection[Any]) -> lease.Lease:
    """A lease of the first runner."""
    ledger.execute("CREATE TABLE public.effect (who text)")
    return lease.acquire(ledger, "apply of p by ana", TTL)


def clock(conn: Connection[Any]) -> datetime:
    """What the server's clock says."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return cast(datetime, row[0])


def expires(conn: Connection[Any]) -> datetime:
    """When the lease runs out."""
    found = lease.state(conn).expires_at
    assert found is not None
    return found


def effects(conn: Connection[Any]) -> list[str]:
    return [row[0] for row in conn.execute("SELECT who FROM public.effect")]


def write(conn: Connection[Any], held: lease.Lease) -> None:
    """A writing transaction as every runner makes it."""
    with conn.transaction():
        lease.assert_held(conn, held.epoch)
        conn.execute("INSERT INTO public.effect VALUES ('fenced')")


def test_a_free_lease_is_taken(ledger: Connection[Any], held: lease.Lease) -> None:
    found = lease.state(ledger)
    assert found.live
    assert (found.holder, found.host, found.pid) == ("apply of p by ana", socket.gethostname(), os.getpid())
    assert (found.epoch, found.acquired_at) == (held.epoch, held.acquired_at)
    assert found.heartbeat_at is not None
    assert found.expires_at is not None
    assert timedelta() <= found.expires_at - found.heartbeat_at - TTL < timedelta(seconds=1)


def test_a_live_lease_refuses_and_says_who_has_it(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    ledger.execute("UPDATE lockgate.lease SET acquired_at = acquired_at - interval '3 h 5 min'")
    with pytest.raises(LeaseHeld) as caught:
        lease.acquire(connect(), "second", TTL)
    text = str(caught.value)
    assert f"apply of p by ana on {held.host}, process {held.pid}, for 3 h 5 min, last heard of 0 s ago" in text
    assert "its lease runs out in 5 min" in text
    assert caught.value.exit_code is ExitCode.LEASE_HELD
    assert lease.state(ledger).epoch == held.epoch


def test_an_expired_lease_is_taken_over_with_a_higher_epoch(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    run_out(ledger)
    assert not lease.state(ledger).live
    second = lease.acquire(connect(), "second", TTL)
    assert second.epoch > held.epoch
    with pytest.raises(LeaseLost) as caught:
        lease.heartbeat(ledger, held)
    assert f"second on {second.host}, process {second.pid}, took it over 0 s ago" in str(caught.value)
    with ledger.transaction(), pytest.raises(LeaseLost):
        lease.assert_held(ledger, held.epoch)
    assert lease.state(ledger).holder == "second"


def test_a_released_lease_is_free_and_fences_its_last_holder(ledger: Connection[Any], held: lease.Lease) -> None:
    lease.release(ledger, held)
    found = lease.state(ledger)
    assert (found.holder, found.host, found.pid, found.live) == (None, None, None, False)
    with ledger.transaction(), pytest.raises(LeaseLost, match="no longer holds") as caught:
        lease.assert_held(ledger, held.epoch)
    assert "It was released." in str(caught.value)
    with pytest.raises(LeaseLost):
        lease.heartbeat(ledger, held)
    assert lease.acquire(ledger, "second", TTL).epoch > held.epoch


def test_releasing_a_lease_that_was_lost_does_nothing(ledger: Connection[Any], held: lease.Lease) -> None:
    run_out(ledger)
    lease.acquire(ledger, "second", TTL)
    lease.release(ledger, held)
    assert lease.state(ledger).holder == "second"


def test_a_lease_that_ran_out_and_that_nobody_took_lives_again(ledger: Connection[Any], held: lease.Lease) -> None:
    run_out(ledger)
    with ledger.transaction():
        lease.assert_held(ledger, held.epoch)
    lease.heartbeat(ledger, held)
    assert lease.state(ledger).live
    with pytest.raises(LeaseHeld):
        lease.acquire(ledger, "second", TTL)


def test_the_ttl_counts_from_the_servers_clock_not_from_the_begin(ledger: Connection[Any]) -> None:
    with ledger.transaction():
        ledger.execute("SELECT pg_sleep(0.05)")
        now = clock(ledger)
        mine = lease.acquire(ledger, "apply", TTL)
        assert expires(ledger) >= now + TTL
        ledger.execute("UPDATE lockgate.lease SET expires_at = clock_timestamp()")
        assert not lease.state(ledger).live
        now = clock(ledger)
        lease.heartbeat(ledger, mine)
        assert lease.state(ledger).live
        assert expires(ledger) >= now + TTL


def test_epochs_are_not_repeated_when_the_ledger_was_removed(ledger: Connection[Any], held: lease.Lease) -> None:
    lease.release(ledger, held)
    uninstall(ledger)
    install(ledger)
    assert lease.acquire(ledger, "second", TTL).epoch > held.epoch


def test_epochs_rise_although_the_clock_was_set_back(ledger: Connection[Any]) -> None:
    ledger.execute("UPDATE lockgate.lease SET epoch = 9000000000000000")
    assert lease.acquire(ledger, "first", TTL).epoch == 9000000000000001


def test_of_many_that_try_at_once_one_gets_it(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    run_out(ledger)
    conns = [connect() for _ in range(6)]
    results: list[object] = []

    def run(number: int) -> None:
        try:
            results.append(lease.acquire(conns[number], f"runner {number}", TTL))
        except LeaseHeld as refused:
            results.append(refused)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [result for result in results if isinstance(result, lease.Lease)]
    assert len(results) == 6
    assert [winner.epoch for winner in winners] == [lease.state(ledger).epoch]


def test_asserting_needs_a_transaction(ledger: Connection[Any], held: lease.Lease) -> None:
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        lease.assert_held(ledger, held.epoch)


# A runner sleeps (its machine was suspended, its process stopped) and wakes up after its lease was taken over.


def test_asleep_before_its_transaction(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    sleeper = connect()
    run_out(ledger)
    lease.acquire(ledger, "second", TTL)
    with pytest.raises(LeaseLost):
        write(sleeper, held)
    assert effects(ledger) == []


def test_asleep_between_begin_and_its_assertion(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    sleeper = connect()
    sleeper.execute("BEGIN")
    sleeper.execute("INSERT INTO public.effect VALUES ('sleeper')")
    run_out(ledger)
    lease.acquire(ledger, "second", TTL)
    with pytest.raises(LeaseLost):
        lease.assert_held(sleeper, held.epoch)
    sleeper.execute("ROLLBACK")
    assert effects(ledger) == []


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_asleep_behind_its_assertion_nobody_can_take_over_until_its_transaction_ends(
    ledger: Connection[Any], held: lease.Lease, connect: Connect, level: str
) -> None:
    sleeper, second = connect(), connect()
    sleeper.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
    lease.assert_held(sleeper, held.epoch)
    run_out(ledger)
    second.execute("SET lock_timeout = '5s'")
    with pytest.raises(LeaseHeld) as caught:
        lease.acquire(second, "second", TTL)
    assert "has run out, but a transaction under it is still open: apply of p by ana on " in str(caught.value)
    assert "pg_terminate_backend" in str(caught.value.hint)
    sleeper.execute("INSERT INTO public.effect VALUES ('in time')")
    sleeper.execute("COMMIT")
    taken = lease.acquire(second, "second", TTL)
    assert effects(second) == ["in time"]
    with pytest.raises(LeaseLost), sleeper.transaction():
        lease.assert_held(sleeper, held.epoch)
    assert lease.state(ledger).epoch == taken.epoch


def test_asleep_in_a_transaction_whose_snapshot_is_older_than_the_takeover(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    sleeper = connect()
    sleeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert effects(sleeper) == []
    run_out(ledger)
    lease.acquire(ledger, "second", TTL)
    with pytest.raises(errors.SerializationFailure):
        lease.assert_held(sleeper, held.epoch)


def test_asleep_and_its_session_was_ended_for_the_takeover(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    sleeper, second = connect(), connect()
    sleeper.execute("BEGIN")
    lease.assert_held(sleeper, held.epoch)
    sleeper.execute("INSERT INTO public.effect VALUES ('sleeper')")
    run_out(ledger)
    ledger.execute("SELECT pg_terminate_backend(%s)", (sleeper.info.backend_pid,))
    wait_until(lambda: taken(second), what="the takeover")
    with pytest.raises(psycopg.OperationalError):
        sleeper.execute("COMMIT")
    assert effects(ledger) == []


def taken(conn: Connection[Any]) -> bool:
    try:
        lease.acquire(conn, "second", TTL)
    except LeaseHeld:
        return False
    return True


def test_a_takeover_in_progress_makes_the_assertion_wait_and_then_fail(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    second, sleeper = connect(), connect()
    run_out(ledger)
    second.execute("BEGIN")
    lease.acquire(second, "second", TTL)
    caught: list[BaseException] = []

    def run() -> None:
        try:
            write(sleeper, held)
        except LeaseLost as lost:
            caught.append(lost)

    thread = threading.Thread(target=run)
    thread.start()
    waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    wait_until(lambda: ledger.execute(waits, (sleeper.info.backend_pid,)).fetchone() == (1,))
    second.execute("COMMIT")
    thread.join()
    assert len(caught) == 1
    assert effects(ledger) == []


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_heartbeats_pass_writing_transactions(
    ledger: Connection[Any], held: lease.Lease, connect: Connect, level: str
) -> None:
    """Else a chunk that takes longer than the ttl would cost the runner its lease."""
    writers = [connect() for _ in range(3)]
    ledger.execute("SET lock_timeout = '1ms'")
    for writer in writers:
        writer.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        assert effects(writer) == []  # the snapshot is taken here
        lease.heartbeat(ledger, held)
        lease.assert_held(writer, held.epoch)
        lease.heartbeat(ledger, held)
        lease.assert_held(writer, held.epoch)
    run_out(ledger)
    with pytest.raises(LeaseHeld, match="still open"):
        lease.acquire(ledger, "second", TTL)
    for writer in writers:
        writer.execute("COMMIT")
    lease.acquire(ledger, "second", TTL)


def test_a_takeover_by_hand_waits_for_writing_transactions_too(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    writer = connect()
    ledger.execute("SET lock_timeout = '1ms'")
    with writer.transaction():
        lease.assert_held(writer, held.epoch)
        with pytest.raises(errors.LockNotAvailable):
            ledger.execute("UPDATE lockgate.lease SET epoch = epoch + 1")


# The thread.


SOON = timedelta(milliseconds=5)


def beats(conn: Connection[Any]) -> Callable[[], bool]:
    """Whether a heartbeat came since now."""
    before = lease.state(conn).heartbeat_at
    return lambda: lease.state(conn).heartbeat_at != before


def test_the_thread_keeps_the_lease_alive(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    lost: list[LeaseLost] = []
    with Heartbeat(connect, held, SOON, lost.append):
        for _ in range(3):
            wait_until(beats(ledger), what="a heartbeat")
    assert lost == []
    assert threads() == []
    wait_until(lambda: sessions(ledger) == 1)  # a backend ends a moment after its client


def test_the_thread_says_once_that_the_lease_is_lost(
    ledger: Connection[Any], held: lease.Lease, connect: Connect
) -> None:
    lost: list[LeaseLost] = []
    with Heartbeat(connect, held, SOON, lost.append):
        wait_until(beats(ledger), what="a heartbeat")
        ledger.execute("UPDATE lockgate.lease SET epoch = epoch + 1, holder = 'second'")
        wait_until(lambda: lost)
        wait_until(lambda: threads() == [])
    assert len(lost) == 1
    assert "second on " in str(lost[0])


def test_the_thread_survives_lost_connections(ledger: Connection[Any], held: lease.Lease, connect: Connect) -> None:
    lost: list[LeaseLost] = []
    refused = iter([True, True, False])

    def flaky() -> Connection[Any]:
        if next(refused, False):
            raise psycopg.OperationalError("refused")
        return connect()

    with Heartbeat(flaky, held, SOON, lost.append):
        wait_until(beats(ledger), what="a heartbeat")
        ledger.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        wait_until(lambda: sessions(ledger) == 2)
        wait_until(beats(ledger), what="a heartbeat")
    assert lost == []


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lockgate-heartbeat"]


def sessions(conn: Connection[Any]) -> int:
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    ).fetchone()
    assert row is not None
    return int(row[0])
