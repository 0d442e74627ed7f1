"""Killed at random moments, while the application writes."""

from __future__ import annotations

import random

import pytest

from tests.acceptance.kills.chains import Repeated
from tests.acceptance.kills.conftest import KILLS
from tests.acceptance.kills.shop import Factory, Shop
from tests.acceptance.kills.writer import Writer

SHARES = 10
_MOST = 14  # kills of one migration


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_random_moments(factory: Factory, share: int) -> None:
    chance = random.Random(share)
    kills = 0
    while kills < KILLS / SHARES:
        with factory.shop() as shop:
            kills += _kill_until_done(shop, chance)


def _kill_until_done(shop: Shop, chance: random.Random) -> int:
    """Start ``apply`` and kill it after a random time, until one lives long enough; how many did not."""
    kills, watched = 0, Repeated(shop)
    longest = chance.choice((0.3, 1.0, 3.0))
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
