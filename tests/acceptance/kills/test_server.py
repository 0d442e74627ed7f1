"""The database server is killed: what it promised is on the disk, and the rest is done again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lockgate.embedded import EmbeddedServer
from tests.acceptance.kills.chains import Repeated
from tests.acceptance.kills.conftest import KILLS
from tests.acceptance.kills.shop import Factory, Shop
from tests.acceptance.kills.writer import Writer
from tests.folders import server_folder

CRASHES = max(8, KILLS // 25)
# Nothing is flushed but by those who wait for it, so that a crash loses much of what was committed without waiting.
SETTINGS = {
    "autovacuum": "off",
    "bgwriter_lru_maxpages": "0",
    "shared_buffers": "64MB",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
}


@dataclass
class Crashing:
    """A server that is killed, and a shop on it."""

    server: EmbeddedServer
    shop: Shop

    def crash(self, *, whole: bool = True) -> int:
        """Kill the server and start it again; how many chunks that were done are lost.

        :param whole: all of its processes at once, as when the power fails; otherwise only the first one, whose
            death the others notice: some of them still commit.
        """
        before = self.shop.chunks_done()
        if whole:
            self._kill_sessions()
        self.server.kill()
        self.shop.kills.append("server" if whole else "postmaster")
        self.server.start()
        after = self.shop.chunks_done()
        changed = {number: row for number, row in after.items() if before.get(number, row) != row}
        assert not changed, self.shop.told(f"chunks changed in a crash: {changed}")
        return len(before.keys() - after.keys())

    def _kill_sessions(self) -> None:
        assert self.server.pid is not None
        postmaster = psutil.Process(self.server.pid)
        postmaster.suspend()  # else it would begin to clear up
        for process in postmaster.children():
            process.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server of this module's own, with durable writes."""
    with server_folder() as folder, EmbeddedServer(folder, settings=SETTINGS) as started:
        yield started


@pytest.fixture
def crashing(server: EmbeddedServer, tmp_path: Path) -> Iterator[Crashing]:
    with Factory(server.dsn(), tmp_path).opened() as factory, factory.shop() as shop:
        yield Crashing(server, shop)


@pytest.mark.parametrize("passes", [3, 12])
def test_chunks_that_were_not_flushed_are_done_again(crashing: Crashing, passes: int) -> None:
    shop = crashing.shop
    stopped = shop.start("apply", faults=f"chunk.done:{passes}", stop=True)
    stopped.wait_for(lambda: stopped.stopped, "the runner to be stopped")
    assert len(shop.chunks_done()) >= passes
    lost = crashing.crash()
    assert lost >= 1, "the server had flushed what it was not asked to flush, so this test shows nothing"
    stopped.kill()
    shop.finish()
    shop.check_migrated()


def test_a_runner_lives_through_a_crash_or_says_why_not(crashing: Crashing) -> None:
    shop = crashing.shop
    with Writer(shop.dsn, 1, crashes=True) as writer:
        runner = shop.start("apply", faults="chunk.commit:6", stop=True)
        runner.wait_for(lambda: runner.stopped, "the runner to be stopped")
        crashing.crash()
        runner.thaw()
        if runner.wait() != 0:
            assert "bug in Lockgate" not in runner.said, runner.said
            assert "connection to the database was lost" in runner.said, runner.said
        shop.finish()
    shop.check_migrated(writer)


@pytest.mark.parametrize("share", range(4))
def test_crashes_at_random_moments(crashing: Crashing, share: int) -> None:
    chance = random.Random(share)
    shop, watched = crashing.shop, Repeated(crashing.shop)
    with Writer(shop.dsn, share, crashes=True) if share % 2 else nullcontext() as writer:
        for _ in range(CRASHES // 4):
            runner = shop.start("apply")
            if runner.wait_at_most(chance.uniform(0.5, 5)):
                break
            if chance.random() < 0.3:
                runner.kill()
            crashing.crash(whole=chance.random() < 0.7)
            runner.wait()
            watched = Repeated(shop)
        shop.finish()
        watched.look()
    shop.check_migrated(writer)
