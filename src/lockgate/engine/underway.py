"""Which keys the workers of one process are inserting at this moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# The keys of a larger chunk would take too much memory; its neighbours wait for it then.
_MOST = 200_000


class Underway:
    """The hashes of the keys of open chunks, by worker; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, frozenset[int]] = {}

    def take(self, worker: str, hashes: Sequence[int]) -> list[int]:
        """The hashes that other workers are at; the others are this worker's until the end of ``releasing``."""
        mine = frozenset(hashes)
        with self._lock:
            theirs = {number for held in self._held.values() for number in held & mine}
            self._held[worker] = mine - theirs if len(mine) <= _MOST else frozenset()
        return sorted(theirs)

    @contextmanager
    def releasing(self, worker: str) -> Iterator[None]:
        """Give back at the end of the block what the worker has taken in it: its chunk has ended then."""
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(worker, None)
