"""Each named point of a run: killed there, the next plain ``apply`` goes on."""

from __future__ import annotations

import pytest

from tests.acceptance.kills.chains import kill_at_each
from tests.acceptance.kills.shop import Factory, Shop
from tests.acceptance.kills.writer import Writer

LAST_PASSES = 3


@pytest.fixture(scope="module")
def points(factory: Factory) -> list[str]:
    """The points that a run passes which nobody disturbs."""
    with factory.shop() as shop:
        passed = shop.finish().points
        shop.check_migrated()
    return passed


@pytest.mark.one_server
@pytest.mark.parametrize("number", range(1, LAST_PASSES + 1))
def test_killed_at_each_point(shop: Shop, points: list[str], number: int) -> None:
    reached = {point for point in points if points.count(point) >= number}
    never = kill_at_each(shop, reached, "apply", number=number)
    if number == 1:
        assert never == set()
        assert len(shop.kills) == len(reached)
    shop.check_migrated()


@pytest.mark.one_server
def test_killed_at_each_point_while_the_application_writes(shop: Shop, points: list[str]) -> None:
    with Writer(shop.dsn, 1) as writer:
        never = kill_at_each(shop, points, "apply")
    assert never == set()
    shop.check_migrated(writer)
