from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from lockgate.engine.clock import FakeClock
from lockgate.engine.retry import Failure, Policy, lost_connection, passing, retrying


class _Failing:
    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return self.calls


@pytest.mark.parametrize(
    "error",
    [
        errors.LockNotAvailable(),
        errors.DeadlockDetected(),
        errors.SerializationFailure(),
        errors.AdminShutdown(),
        errors.CrashShutdown(),
        errors.CannotConnectNow(),
        errors.TooManyConnections(),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.InterfaceError("the connection is closed"),
    ],
)
def test_tries_again_what_passes(error: Exception) -> None:
    assert passing(error)
    work = _Failing(error, error)
    assert retrying(work, policy=Policy(), clock=FakeClock()) == 3


@pytest.mark.parametrize(
    "error",
    [errors.UniqueViolation(), errors.UndefinedTable(), errors.DiskFull(), errors.QueryCanceled(), errors.DataError()],
)
def test_does_not_repeat_what_stays(error: psycopg.Error) -> None:
    work = _Failing(error)
    with pytest.raises(type(error)):
        retrying(work, policy=Policy(), clock=FakeClock())
    assert work.calls == 1


def test_a_lock_is_no_lost_connection() -> None:
    assert not lost_connection(errors.LockNotAvailable())
    assert not lost_connection(ValueError())


def test_gives_up_after_its_tries_with_the_last_error() -> None:
    work = _Failing(*[errors.LockNotAvailable(str(n)) for n in range(9)])
    clock = FakeClock()
    with pytest.raises(errors.LockNotAvailable, match="3"):
        retrying(work, policy=Policy(retries=3), clock=clock)
    assert work.calls == 4
    assert len(clock.slept) == 3


def test_tells_each_retry() -> None:
    told: list[tuple[int, str]] = []

    def on_retry(attempt: int, error: Failure, pause: float) -> None:
        told.append((attempt, str(error)))

    retrying(
        _Failing(errors.DeadlockDetected("a"), errors.LockNotAvailable("b")),
        policy=Policy(),
        clock=FakeClock(),
        on_retry=on_retry,
    )
    assert told == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(("draw", "share"), [(lambda: 0.0, 0.5), (lambda: 1.0, 1.0)])
def test_waits_twice_as_long_each_time_up_to_a_cap(draw: Callable[[], float], share: float) -> None:
    policy = Policy(base=0.1, cap=1.0)
    pauses = [policy.pause(attempt, draw) for attempt in (1, 2, 3, 4, 5, 1000)]
    assert pauses == pytest.approx([share * x for x in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0)])
