from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.engine.throttle import LARGEST, SMALLEST, Limits, Pace, adapt, next_rows


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
        (SMALLEST, 60.0, SMALLEST),
        (LARGEST, 0.01, LARGEST),
        (0, 0.0, SMALLEST),
    ],
)
def test_follows_the_target_time_in_bounded_steps(rows: int, seconds: float, expected: int) -> None:
    assert next_rows(rows, seconds, 1.0) == expected


@given(rate=st.floats(200, 1_000_000), first=st.integers(SMALLEST, LARGEST))
def test_settles_near_the_target(rate: float, first: int) -> None:
    rows = first
    for _ in range(40):
        rows = next_rows(rows, rows / rate, 1.0)
    settled = next_rows(rows, rows / rate, 1.0)
    assert settled == rows
    assert rows in (SMALLEST, LARGEST) or 0.8 < rows / rate < 1.25


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
    assert pace == Pace(1000, 0.6)
    for _ in range(10):
        pace = adapt(pace, pace.rows, 0.2, 0.001, LIMITS)
    assert pace.duty == 1.0
    assert pace.rows > 1000


def test_without_a_limit_latency_does_not_matter() -> None:
    assert adapt(Pace(1000), 1000, 1.0, 99.0, Limits(1.0)) == Pace(1000)


def test_a_size_that_was_asked_for_stays() -> None:
    assert adapt(Pace(1000), 1000, 0.01, None, Limits(1.0, None, rows=300)).rows == 300
    assert adapt(Pace(1000), 1000, 1.0, 1.0, Limits(1.0, 0.01, rows=300)) == Pace(300, 0.5)


def test_rests_for_its_duty() -> None:
    assert Pace(1000).rest(1.0) == 0.0
    assert Pace(1000, 0.25).rest(1.0) == pytest.approx(3.0)
