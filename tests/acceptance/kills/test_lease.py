"""Two runners: one that is too many, and one that slept while another took over."""

from __future__ import annotations

import signal
from collections.abc import Iterable

import pytest

from lockgate.errors import ExitCode
from tests.acceptance.kills.processes import Lockgate
from tests.acceptance.kills.shop import Shop
from tests.acceptance.kills.writer import Writer
from tests.waiting import wait_until

_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE 'lockgate:%' AND state = 'idle in transaction'"
)


def stopped_at(shop: Shop, points: Iterable[str], command: str = "apply", *more: str) -> Lockgate:
    """Start a command that is stopped at the first of these points that it passes, or ends."""
    process = shop.start(command, *more, faults=",".join(sorted(points)), stop=True)
    process.wait_for(lambda: process.stopped, "the runner to be stopped")
    return process


def run_out(shop: Shop) -> None:
    """Let the lease run out: its holder sleeps, and cannot renew it."""
    with shop.connect() as conn:
        conn.execute("UPDATE lockgate.lease SET expires_at = clock_timestamp() WHERE holder IS NOT NULL")


def test_a_second_runner_is_sent_away(shop: Shop) -> None:
    runner = stopped_at(shop, ["chunk.done:4"])
    before = shop.rows("SELECT plan, phase, step, kind FROM lockgate.chain ORDER BY seq")
    runner.thaw()
    for command in (["apply"], ["rollback", "--yes"]):
        second = shop.run(*command)
        assert second.code == ExitCode.LEASE_HELD, second.said
        assert f"process {runner.pid}" in second.said
        assert "Traceback" not in second.said.split("Error:")[-1]
    assert runner.wait() == 0, runner.said
    after = shop.rows("SELECT plan, phase, step, kind FROM lockgate.chain ORDER BY seq")
    assert after[: len(before)] == before
    assert shop.one("SELECT count(*) FROM lockgate.runs") == 1
    shop.check_migrated()


def test_of_many_runners_at_once_one_works(shop: Shop) -> None:
    with Writer(shop.dsn, 1) as writer:
        runners = [shop.start("apply") for _ in range(4)]
        codes = sorted(runner.wait() for runner in runners)
        assert codes[0] == 0, [runner.said for runner in runners]
        assert set(codes) <= {0, ExitCode.LEASE_HELD}, [runner.said for runner in runners]
    shop.check_migrated(writer)


@pytest.mark.one_server
@pytest.mark.sampled
@pytest.mark.parametrize(
    "point",
    [
        "gates.passed",
        "sql.statement",
        "step.commit",
        "alone.looked",
        "alone.marked",
        "outside.commit",
        "map.registered",
        "map.logged",
        "map.own_rows",
        "map.planned",
        "chunk.claimed",
        "chunk.commit",
        "chunk.done",
        "applier.candidates",
        "applier.commit",
        "map.copied",
        "map.live",
        "map.settled",
        "phase.checking",
        "check.recorded",
    ],
)
def test_a_runner_that_slept_may_not_go_on(shop: Shop, point: str) -> None:
    """It is stopped, its lease is taken over, and it wakes up while the next one works, or when that is done."""
    with Writer(shop.dsn, 2) as writer:
        sleeper = stopped_at(shop, [point])
        assert sleeper.points[-1] == point
        run_out(shop)
        second = None
        if _in_transaction(shop):
            # Its open transaction vouches that it has the lease. Who takes over is told how to end it; or the server
            # has ended it meanwhile, for being idle.
            second = shop.run("apply")
            if second.code != 0:
                assert second.code == ExitCode.LEASE_HELD, second.said
                assert "pg_terminate_backend" in second.said
                shop.rows(_END_SESSIONS)
        if second is None or second.code != 0:
            second = shop.start("apply")
            epoch = shop.one("SELECT epoch FROM lockgate.lease")
            taken = "SELECT epoch FROM lockgate.lease"
            second.wait_for(lambda: shop.one(taken) != epoch, "the lease to be taken over")
        sleeper.thaw()
        assert second.wait() == 0, second.said
        assert sleeper.wait() == ExitCode.LEASE_HELD, sleeper.said
        assert "no longer holds the lease" in sleeper.said
    shop.kills.append(f"sleeper at {point}")
    shop.check_migrated(writer)


def _in_transaction(shop: Shop) -> bool:
    """Whether a transaction is open that asserted the lease."""
    with shop.connect() as conn:
        free = conn.execute("SELECT count(*) FROM (SELECT FROM lockgate.lease FOR UPDATE SKIP LOCKED) AS l").fetchone()
    return free == (0,)


@pytest.mark.one_server
def test_a_runner_that_sleeps_through_everything_changes_nothing(shop: Shop) -> None:
    sleeper = stopped_at(shop, ["chunk.done:5"])
    run_out(shop)
    shop.rows(_END_SESSIONS)  # its applier may hold its target's row, which the next one waits for
    shop.finish()
    shop.finish("rollback", "--to", "@start", "--lose-rows", "--yes")  # the plan's own tally is lost
    runs = shop.rows("SELECT phase, state FROM lockgate.phases ORDER BY 1")
    sleeper.thaw()
    assert sleeper.wait() == ExitCode.LEASE_HELD, sleeper.said
    shop.kills.append("sleeper")
    assert shop.rows("SELECT phase, state FROM lockgate.phases ORDER BY 1") == runs
    assert shop.one("SELECT to_regnamespace('new')") is None
    assert shop.one("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^lockgate_'") == 0
    shop.finish()
    shop.check_migrated(times=None)


def test_the_lease_of_a_sleeper_runs_out_by_itself(shop: Shop) -> None:
    sleeper = stopped_at(shop, ["map.planned"])
    assert shop.run("apply").code == ExitCode.LEASE_HELD
    wait_until(lambda: shop.one("SELECT expires_at < clock_timestamp() FROM lockgate.lease"))
    shop.finish()
    sleeper.kill()
    assert sleeper.code == -signal.SIGKILL
    shop.kills.append("sleeper")
    shop.check_migrated()
