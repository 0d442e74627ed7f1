"""Which partitions there should be, by the calendar alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.partitioning.calendar import FIRST, Period, between, literal, period_of, shifted
from lockgate.partitioning.deciding import decide, fails_from
from lockgate.partitioning.family import Family, Part
from lockgate.plan.models import Partitions
from lockgate.plan.partitions import Interval, lacks, name_of, pattern_of

INTERVALS: tuple[Interval, ...] = ("day", "week", "month", "year")
intervals = st.sampled_from(INTERVALS)
days = st.dates(date(1900, 1, 1), date(2999, 12, 31))


def part(number: int, period: Period, *, pending: bool = False) -> Part:
    lower, upper = (datetime.combine(day, datetime.min.time()) for day in (period.start, period.end))
    return Part(number, "core", f"p{number}", "r", pending, False, lower, upper)


def family(*parts: Part, default: bool = False) -> Family:
    rest = (Part(0, "core", "rest", "r", False, True, None, None),) if default else ()
    return Family(1, "core", "m", "me", "at", "date", (*parts, *rest))


@given(days, intervals)
def test_each_day_is_in_one_period_and_periods_leave_no_gap(day: date, interval: Interval) -> None:
    period = period_of(day, interval)
    assert period.start <= day < period.end
    assert period_of(period.start, interval) == period == period_of(period.end - timedelta(days=1), interval)
    assert shifted(period, interval, 1).start == period.end
    assert shifted(shifted(period, interval, 7), interval, -7) == period
    for earlier, later in pairwise(between(period, shifted(period, interval, 20), interval)):
        assert earlier.end == later.start
    assert interval != "week" or period.start.weekday() == 0


def test_the_calendar_ends_at_both_ends() -> None:
    assert shifted(period_of(date(3, 5, 5), "year"), "year", -10).start == FIRST
    assert shifted(period_of(date(1, 1, 20), "day"), "day", -100).start == FIRST
    with pytest.raises(OverflowError):
        shifted(period_of(date(9990, 1, 1), "year"), "year", 10)


@given(days, intervals)
def test_names_differ_and_say_the_day(day: date, interval: Interval) -> None:
    pattern = pattern_of("messages", interval)
    assert lacks(pattern, interval) is None
    first = period_of(day, interval)
    periods = between(first, shifted(first, interval, 40), interval)
    names = [name_of(pattern, period.start) for period in periods]
    assert len(set(names)) == len(names) == 41


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("messages_YYYY_MM", "messages_2026_03"),
        ("logYYYYMM", None),
        ("log_YYYYMMDD", "log_20260309"),
        ("COMMENTS_YYYY_MM", "COMMENTS_2026_03"),
        ("y YYYY-MM ä", "y 2026-03 ä"),
        ("pYYYY_YYYY_MM", "pYYYY_2026_03"),
    ],
)
def test_words_of_a_pattern_are_told_from_letters_of_a_name(pattern: str, name: str | None) -> None:
    if name is None:
        assert lacks(pattern, "month") == "YYYY"
    else:
        assert name_of(pattern, date(2026, 3, 9)) == name


def test_bounds_are_written_for_the_type() -> None:
    assert literal(date(2026, 3, 1), "date") == "'2026-03-01'"
    assert literal(date(2026, 3, 1), "timestamp without time zone") == "'2026-03-01 00:00:00'"
    assert literal(date(2026, 3, 1), "timestamp with time zone") == "'2026-03-01 00:00:00+00'"


@given(days, intervals, st.integers(1, 12), st.integers(1, 12) | st.none(), st.data())
def test_what_is_done_leaves_nothing_to_do(
    today: date, interval: Interval, ahead: int, keep: int | None, data: st.DataObject
) -> None:
    care = Partitions(table="core.m", interval=interval, ahead=ahead, keep=keep)
    present = period_of(today, interval)
    there = data.draw(st.sets(st.integers(-20, 20)))
    strays = data.draw(st.lists(st.integers(-30, 30)))
    before = family(*(part(n + 100, shifted(present, interval, n)) for n in sorted(there)))
    moved = [shifted(present, interval, n).start for n in strays]
    decision = decide(before, care, today, moved)
    assert decision.troubles == ()
    retired = {gone.oid for gone in decision.retire}
    kept = [each for each in before.parts if each.oid not in retired]
    made = [part(1000 + n, each.period) for n, each in enumerate(decision.make)]
    after = family(*sorted((*kept, *made), key=lambda each: each.lower or datetime.min))
    for period in between(present, shifted(present, interval, ahead), interval):
        assert any(each.covers(period) for each in after.parts)
    for one, other in pairwise(after.parts):
        assert one.upper is not None
        assert other.lower is not None
        assert one.upper <= other.lower
    assert decide(after, care, today).nothing
    if keep is None:
        assert decision.retire == ()
    else:
        limit = shifted(present, interval, -keep).start
        assert all(gone.upper is not None and gone.upper.date() <= limit for gone in decision.retire)
        assert {n + 100 for n in there if n < -keep} == retired


def test_where_no_default_is_it_is_said_when_inserts_fail() -> None:
    march, april, june = (Period(date(2026, m, 1), date(2026, m + 1, 1)) for m in (3, 4, 6))
    now = datetime(2026, 3, 15)
    assert fails_from(family(part(1, march), part(2, april), part(3, june)), now) == datetime(2026, 5, 1)
    assert fails_from(family(part(1, march), part(2, april, pending=True)), now) == datetime(2026, 4, 1)
    assert fails_from(family(part(2, april)), now) == now
    assert fails_from(family(part(1, march), default=True), now) is None
    assert fails_from(family(part(1, Period(date(1, 1, 1), date(9999, 1, 1)))), now) is None
