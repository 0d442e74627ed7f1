"""Killing the same work again and again, until nothing is left to kill it at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.acceptance.kills.shop import WORKERS, Shop


def kill_at_each(shop: Shop, points: Iterable[str], command: str, *more: str, number: int = 1) -> set[str]:
    """Start a command over and over; it is killed at each point once, at its ``number``-th pass in one process.

    The last start is killed at none, and must succeed.

    :return: the points that no process passed so often.
    """
    left = set(points)
    repeated = Repeated(shop)
    while True:
        process = shop.run(command, *more, faults=",".join(f"{point}:{number}" for point in sorted(left)))
        repeated.look(process.points)
        if not process.killed:
            assert process.code == 0, shop.told(f"{command} ended with {process.code}:\n{process.said}")
            return left
        left.remove(process.points[-1])


class Repeated:
    """Watches that a chunk that is done is never done again, and that each worker has but one under way."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._done = shop.chunks_done()

    def look(self, points: list[str] | None = None) -> None:
        """To be called after each process.

        :param points: what it passed, for one that nobody disturbed but by killing it.
        """
        now = self._shop.chunks_done()
        again = {number: row for number, row in self._done.items() if number in now and now[number] != row}
        assert not again, self._shop.told(f"chunks that were done are done again: {again}")
        self._done = now
        if points is not None:
            times = Counter(points)
            under_way = times["chunk.claimed"] - times["chunk.done"]
            assert 0 <= under_way <= WORKERS, self._shop.told(f"{under_way} chunks were under way")
