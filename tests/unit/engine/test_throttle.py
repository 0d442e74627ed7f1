from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.engine.throttle import LARGEST, SMALLEST, Cost, Limits, Pace, adapt, next_rows


@pytest.mark.parametrize(
    ("rows", "seconds", "expected"),
    [
        (1000, 1.0, 1000),
        (1000, 1.1, 1000),
        (1000, 0.9, 1000),
        (1000, 1.5, 667),
        (1000, 0.7, 1429),
        (1000, 0.01, 2000),
        (1000, 60.0, 500),
        (SMALLEST, 60.0, 2 * SMALLEST),
        (LARGEST, 0.01, LARGEST),
        (0, 0.0, SMALLEST),
    ],
)
def test_follows_the_target_time_in_bounded_steps(rows: int, seconds: float, expected: int) -> None:
    assert next_rows(Cost(rows, seconds), 1.0) == expected


def settled(first: int, seconds: Callable[[int], float]) -> int:
    """The size of chunks after many of them, which must not change any more but where one is tried out."""
    cost = Cost()
    rows = first
    for _ in range(60):
        cost = cost.after(rows, seconds(rows))
        rows = next_rows(cost, 1.0)
    assert next_rows(cost.after(rows, seconds(rows)), 1.0) == rows
    return rows


@given(rate=st.floats(200, 1_000_000), first=st.integers(SMALLEST, LARGEST))
def test_settles_near_the_target(rate: float, first: int) -> None:
    rows = settled(first, lambda rows: rows / rate)
    assert rows in (SMALLEST, LARGEST) or 0.8 < rows / rate < 1.25


@given(rate=st.floats(200, 1_000_000), first=st.integers(SMALLEST, LARGEST), fixed=st.floats(0.0, 10.0))
def test_what_a_chunk_takes_whatever_its_size_makes_it_no_smaller(rate: float, first: int, fixed: float) -> None:
    """Chunks that shrink until nothing but waiting is left would never be through."""
    rows = settled(first, lambda rows: fixed + rows / rate)
    wanted = min(max(1.0 - fixed, fixed), 2.0)
    near = 0.8 < fixed + rows / rate < 1.25  # where it begins so, it learns nothing, and need not
    assert rows in (SMALLEST, LARGEST) or near or 0.8 * wanted < rows / rate < 1.25 * wanted


def test_a_moment_of_waiting_does_not_last() -> None:
    """It was one chunk's, and is forgotten when chunks of other sizes go as they should."""
    cost = Cost()
    rows = 1000
    for number in range(60):
        cost = cost.after(rows, rows / 1000 + (20.0 if number == 3 else 0.0))
        rows = next_rows(cost, 1.0)
    assert 800 < rows < 1250


@pytest.mark.parametrize(("latency", "small"), [(0.1, True), (None, False)])
def test_under_a_limit_of_latency_chunks_are_small_whatever_it_costs(latency: float | None, small: bool) -> None:
    limits = Limits(chunk_seconds=0.005, latency=latency)
    pace = Pace(5000)
    for _ in range(20):
        pace = adapt(pace, pace.rows, 0.02 + pace.rows / 100_000, 0.001, limits)
    assert (pace.rows == SMALLEST) == small


LIMITS = Limits(chunk_seconds=1.0, latency=0.01)


def test_halves_at_once_when_the_canary_is_slow() -> None:
    assert adapt(Pace(4000), 4000, 1.0, 0.02, LIMITS) == Pace(2000, 0.5)
    assert adapt(Pace(2000, 0.5), 2000, 0.5, 0.02, LIMITS) == Pace(1000, 0.25)


def test_never_stops_working_altogether() -> None:
    pace = Pace(4000)
    for _ in range(50):
        pace = adapt(pace, pace.rows, 1.0, 9.0, LIMITS)
    assert pace == Pace(SMALLEST, 0.05)


def test_comes_back_in_small_steps_the_duty_first() -> None:
    pace = adapt(Pace(1000, 0.5), 1000, 0.2, 0.001, LIMITS)
    assert (pace.rows, pace.duty) == (1000, 0.6)
    for _ in range(10):
        pace = adapt(pace, pace.rows, 0.2, 0.001, LIMITS)
    assert pace.duty == 1.0
    assert pace.rows > 1000


def test_without_a_limit_latency_does_not_matter() -> None:
    assert adapt(Pace(1000), 1000, 1.0, 99.0, Limits(1.0)).rows == 1000


def test_a_size_that_was_asked_for_stays() -> None:
    assert adapt(Pace(1000), 1000, 0.01, None, Limits(1.0, None, rows=300)).rows == 300
    assert adapt(Pace(1000), 1000, 1.0, 1.0, Limits(1.0, 0.01, rows=300)) == Pace(300, 0.5)


def test_rests_for_its_duty() -> None:
    assert Pace(1000).rest(1.0) == 0.0
    assert Pace(1000, 0.25).rest(1.0) == pytest.approx(3.0)
