"""Killed at random moments, while the application writes."""

from __future__ import annotations

import random
import time

import pytest

from tests.acceptance.kills.chains import Repeated
from tests.acceptance.kills.conftest import KILLS
from tests.acceptance.kills.shop import Factory, Shop
from tests.acceptance.kills.writer import Writer

SHARES = 4
_MOST = 14  # kills of one migration


@pytest.fixture(scope="session")
def seconds(factory: Factory) -> float:
    """How long a run takes here and now."""
    with factory.shop() as shop, Writer(shop.dsn, 0):
        started = time.monotonic()
        shop.finish()
        return time.monotonic() - started


@pytest.mark.one_server
@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_random_moments(factory: Factory, seconds: float, share: int) -> None:
    chance = random.Random(share)
    kills = 0
    while kills < KILLS / SHARES:
        with factory.shop() as shop:
            kills += _kill_until_done(shop, chance, seconds)


def _kill_until_done(shop: Shop, chance: random.Random, seconds: float) -> int:
    """Start ``apply`` and kill it after a random time, until one lives long enough; how many did not."""
    kills, watched = 0, Repeated(shop)
    longest = seconds * chance.choice((0.2, 0.4, 1.0))
    with Writer(shop.dsn, chance.randrange(1_000_000)) as writer:
        while kills < _MOST:
            process = shop.start("apply")
            if process.wait_at_most(chance.uniform(0, longest)):
                assert process.code == 0, shop.told(f"apply ended with {process.code}:\n{process.said}")
                break
            process.kill()
            kills += 1
            shop.kills.append(f"apply after {process.points[-1:]}")
            watched.look()
        else:
            shop.finish()
            watched.look()
    shop.check_migrated(writer)
    return kills
