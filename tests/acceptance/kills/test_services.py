"""Helpers are killed: a worker from outside, and the service that applies for weeks."""

from __future__ import annotations

import random

import pytest

from tests.acceptance.kills.chains import Repeated, kill_at_each
from tests.acceptance.kills.conftest import KILLS
from tests.acceptance.kills.processes import Lockgate
from tests.acceptance.kills.shop import Shop
from tests.acceptance.kills.writer import Writer
from tests.waiting import wait_until

SYNC_KILLS = max(3, KILLS // 60)


@pytest.mark.one_server
@pytest.mark.parametrize("point", ["chunk.claimed", "chunk.commit", "chunk.done"])
def test_a_worker_is_killed_and_its_chunk_is_free_at_once(shop: Shop, point: str) -> None:
    watched = Repeated(shop)
    with Writer(shop.dsn, 1) as writer:
        # The runner is held where the first chunks wait, so that the worker from outside gets one.
        runner = shop.start("apply", faults="map.planned", stop=True)
        runner.wait_for(lambda: runner.stopped, "the runner to be stopped")
        worker = shop.run("work", faults=f"{point}:3")
        assert worker.killed, worker.said
        assert shop.one("SELECT count(*) FROM lockgate.chunks WHERE worker ~ %s", f":{worker.pid}:") >= 1
        free = "SELECT count(*) FROM (SELECT FROM lockgate.chunks WHERE state = 'pending' FOR UPDATE SKIP LOCKED) AS c"
        left = shop.one("SELECT count(*) FROM lockgate.chunks WHERE state = 'pending'")
        wait_until(lambda: shop.one(free) == left, what="the chunks of the killed worker to be free")
        runner.thaw()
        assert runner.wait() == 0, runner.said
        watched.look()
    shop.check_migrated(writer)


@pytest.mark.one_server
def test_workers_and_the_runner_are_killed_at_random(shop: Shop) -> None:
    chance = random.Random(5)
    watched = Repeated(shop)
    with Writer(shop.dsn, 2) as writer:
        runner = shop.start("apply")
        workers: list[Lockgate] = []
        while not runner.wait_at_most(chance.uniform(0, 0.7)):
            if chance.random() < 0.15 and len(shop.kills) < 12:
                runner.kill()
                shop.kills.append(f"apply after {runner.points[-1:]}")
                watched.look()
                runner = shop.start("apply")
            if len(workers) < 2 and shop.one("SELECT to_regclass('lockgate.control')"):
                workers.append(shop.start("work"))
            elif workers:
                worker = workers.pop(0)
                worker.kill()
                assert worker.killed, worker.said
                shop.kills.append(f"work after {worker.points[-1:]}")
                watched.look()
        assert runner.code == 0, shop.told(runner.said)
        assert {worker.end() for worker in workers} <= {0}
    shop.check_migrated(writer)


@pytest.mark.one_server
def test_the_service_that_applies_is_killed(shop: Shop) -> None:
    shop.finish()
    with Writer(shop.dsn, 3) as writer:
        points = ["sync.taken", "applier.candidates", "applier.commit"]
        for number in range(SYNC_KILLS):
            service = shop.run("sync", faults=f"{points[number % 3]}:{1 + number // 3 * 5}")
            assert service.killed, service.said
            assert writer.errors == []
        service = shop.start("sync")
        before = shop.one("SELECT sum(changes_applied) FROM lockgate.sync_targets")
        service.wait_for(
            lambda: shop.one("SELECT sum(changes_applied) FROM lockgate.sync_targets") > before, "sync to go on"
        )
    assert service.end() == 0, service.said
    shop.check_migrated(writer)


@pytest.mark.one_server
def test_services_take_over_from_each_other_and_from_a_run(shop: Shop) -> None:
    """Three that apply at once: whatever is killed, nobody's work is lost, and nobody applies beside another."""
    with Writer(shop.dsn, 4) as writer:
        shop.finish("apply", "--to", "model")
        services = [shop.start("sync"), shop.start("sync")]
        never = kill_at_each(shop, ["map.live", "applier.commit", "map.narrowed", "check.recorded"], "apply")
        assert never == set()
        services[0].kill()
        assert services[1].end() == 0, services[1].said
    shop.check_migrated(writer)
