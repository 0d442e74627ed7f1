"""The network between Lockgate and the server is cut, hangs, or loses the answer to a COMMIT."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.kills.chains import Repeated
from tests.acceptance.kills.conftest import KILLS
from tests.acceptance.kills.processes import Lockgate
from tests.acceptance.kills.shop import Shop
from tests.acceptance.kills.writer import Writer
from tests.proxy import Proxy
from tests.waiting import wait_until

# What the tool makes of a lost connection has nothing to do with the server.
pytestmark = pytest.mark.one_server

LOST_COMMITS = (1, 2, 5, 13, 34, 89)


@pytest.fixture
def proxy(shop: Shop) -> Iterator[Proxy]:
    """A proxy before the socket of the server under test, wherever that listens."""
    with shop.connect() as conn:
        sockets = Path(conn.info.host), conn.info.port
        if not sockets[0].is_dir():
            pytest.skip("the proxy stands before a server's Unix socket, and this one is reached by TCP")
    with Proxy(str(sockets[0] / f".s.PGSQL.{sockets[1]}")) as made:
        yield made


@pytest.fixture
def through(shop: Shop, proxy: Proxy) -> str:
    """The shop's address through the proxy."""
    with shop.connect() as conn:
        return f"postgresql://{conn.info.user}@127.0.0.1:{proxy.port}/{conn.info.dbname}?sslmode=disable"


def ended(shop: Shop, runner: Lockgate) -> None:
    """It finished in spite of all, or said what had happened; what it left is finished by the next."""
    if runner.wait() != 0:
        last = runner.said.split("Error:")[-1]
        assert "bug in Lockgate" not in last, shop.told(runner.said)
        assert "onnection" in last or "lease" in last, shop.told(runner.said)


def test_connections_are_cut_at_random(shop: Shop, proxy: Proxy, through: str) -> None:
    chance = random.Random(3)
    watched = Repeated(shop)
    with Writer(shop.dsn, 1) as writer:
        for _ in range(max(3, KILLS // 50)):
            runner = shop.start("apply", dsn=through)
            while not runner.wait_at_most(chance.uniform(0.1, 1.5)):
                if proxy.cut():
                    shop.kills.append("cut")
                    watched.look()
            ended(shop, runner)
            if runner.code == 0:
                break
        shop.finish()
    assert proxy.cuts > 3
    shop.check_migrated(writer)


@pytest.mark.parametrize("number", LOST_COMMITS)
def test_nobody_hears_that_a_commit_succeeded(shop: Shop, proxy: Proxy, through: str, number: int) -> None:
    with Writer(shop.dsn, number) as writer:
        proxy.lose_answer(b"COMMIT", number)
        runner = shop.start("apply", dsn=through)
        wait_until(lambda: proxy.cuts or not runner.alive, 60, what="a commit to be lost")
        shop.kills.append(f"answer to COMMIT {number} lost")
        ended(shop, runner)
        assert proxy.cuts == 1
        shop.finish()
    shop.check_migrated(writer)


def test_a_run_survives_when_it_hears_of_no_commit(shop: Shop, proxy: Proxy, through: str) -> None:
    """One cut connection is no reason to give up."""
    proxy.lose_answer(b"COMMIT", 20)
    runner = shop.start("apply", dsn=through)
    assert runner.wait() == 0, runner.said
    assert proxy.cuts == 1
    shop.check_migrated()


def test_the_network_hangs_for_a_while(shop: Shop, proxy: Proxy, through: str) -> None:
    with Writer(shop.dsn, 5) as writer:
        runner = shop.start("apply", dsn=through)
        for point in ("map.planned", "chunk.done", "map.live"):
            runner.wait_for(lambda point=point: point in runner.points, point)  # type: ignore[misc]
            with proxy.frozen():
                committed = writer.committed
                wait_until(lambda c=committed: writer.committed > c + 30, 60)  # type: ignore[misc]
        assert runner.wait() == 0, runner.said
    shop.check_migrated(writer)


def test_a_runner_behind_a_dead_network_is_followed_by_another(shop: Shop, proxy: Proxy, through: str) -> None:
    with Writer(shop.dsn, 6) as writer:
        runner = shop.start("apply", dsn=through)
        runner.wait_for(lambda: "map.planned" in runner.points, "map.planned")
        with proxy.frozen():
            wait_until(lambda: shop.one("SELECT expires_at < clock_timestamp() FROM lockgate.lease"), 60)
            shop.rows(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name LIKE 'lockgate:%' AND state = 'idle in transaction'"
            )
            shop.finish()
        assert runner.wait() == 8, runner.said
        shop.kills.append("runner behind a dead network")
    shop.check_migrated(writer)


def test_the_service_that_applies_waits_for_the_network(shop: Shop, proxy: Proxy, through: str, tmp_path: Path) -> None:
    shop.finish()
    applied = "SELECT sum(changes_applied) FROM lockgate.sync_targets"
    with Writer(shop.dsn, 7) as writer:
        service = shop.start("sync", dsn=through)
        for _ in range(3):
            before = shop.one(applied)
            service.wait_for(lambda b=before: shop.one(applied) > b, "sync to apply")  # type: ignore[misc]
            with proxy.away():
                committed = writer.committed
                wait_until(lambda c=committed: writer.committed > c + 10, 60)  # type: ignore[misc]
        before = shop.one(applied)
        service.wait_for(lambda: shop.one(applied) > before, "sync to apply again")
        assert service.end() == 0, service.said
    shop.check_migrated(writer)
