"""Trying again what failed for a reason that passes: a lock, a deadlock, a lost connection."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from lockgate.engine.clock import Clock
from lockgate.errors import ConnectionFailed

Failure = psycopg.Error | ConnectionFailed
"""What a piece of work with the database may fail with."""
T = TypeVar("T")

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
SERIALIZATION = "40001"
_PASSING = frozenset({LOCK_NOT_AVAILABLE, DEADLOCK, SERIALIZATION})
_LOST = frozenset({"57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006", "53300", "25P03"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how patiently.

    :param retries: tries after the first one.
    :param base: seconds before the second try; doubled for each further one.
    :param cap: longest wait in seconds.
    """

    retries: int = 30
    base: float = 0.1
    cap: float = 5.0

    def pause(self, attempt: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait before try ``attempt + 1`` (the first try is 1): half fixed, half by lot."""
        longest = min(self.cap, self.base * 2.0 ** min(attempt - 1, 30))
        return longest * (0.5 + 0.5 * draw())


def lost_connection(error: BaseException) -> bool:
    """Whether the connection itself went away, or a new one could not be made."""
    if isinstance(error, ConnectionFailed):
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate in _LOST or error.sqlstate is None


def lost_conflict(error: BaseException) -> bool:
    """Whether a lock, a deadlock or a concurrent change was in the way: the connection is still good."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _PASSING


def passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    return lost_connection(error) or (isinstance(error, psycopg.Error) and error.sqlstate in _PASSING)


def retrying(
    work: Callable[[], T],
    *,
    policy: Policy,
    clock: Clock,
    on_retry: Callable[[int, Failure, float], None] | None = None,
    may_retry: Callable[[BaseException], bool] = passing,
) -> T:
    """Do ``work`` until it succeeds, its error is one that stays, or the tries are used up.

    ``work`` must open its own transaction, and its own connection if a lost one is to be survived.

    :param on_retry: told the number of the failed try (from 1), the error, and the seconds until the next.
    :raises psycopg.Error, ConnectionFailed: the last error.
    """
    attempt = 1
    while True:
        try:
            return work()
        except (psycopg.Error, ConnectionFailed) as error:
            if attempt > policy.retries or not may_retry(error):
                raise
            pause = policy.pause(attempt)
            if on_retry:
                on_retry(attempt, error, pause)
        clock.sleep(pause)
        attempt += 1
