"""The times that partitions cover: days, weeks, months or years, in UTC. Pure arithmetic; no clock is read here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from lockgate.plan.partitions import Interval

FIRST, LAST = date(1, 1, 1), date(9999, 1, 1)
"""Rows of other times have no partition of their own; the server knows more years than these."""

_MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """What one partition covers: from a day on, to the day before ``end``."""

    start: date
    end: date


def period_of(day: date, interval: Interval) -> Period:
    """The period that a day is in; a week begins on Monday.

    :raises OverflowError: at the end of the calendar.
    """
    match interval:
        case "day":
            start = day
        case "week":
            start = date.fromordinal(max(1, day.toordinal() - day.weekday()))
        case "month":
            start = day.replace(day=1)
        case "year":
            start = day.replace(month=1, day=1)
    return Period(start, _later(start, interval, 1))


def shifted(period: Period, interval: Interval, count: int) -> Period:
    """The period so many later, or earlier if ``count`` is negative; the first one of the calendar at most.

    :raises OverflowError: at the end of the calendar.
    """
    start = _later(period.start, interval, count)
    return Period(start, _later(start, interval, 1))


def between(first: Period, last: Period, interval: Interval) -> Iterator[Period]:
    """All periods from one to another, both included."""
    period = first
    while period.start <= last.start:
        yield period
        period = shifted(period, interval, 1)


def literal(day: date, type_: str) -> str:
    """The beginning of a day as a partition bound, in quotes.

    :param type_: ``date``, ``timestamp without time zone`` or ``timestamp with time zone``.
    """
    zone = "+00" if type_ == "timestamp with time zone" else ""
    return f"'{day.isoformat()}'" if type_ == "date" else f"'{day.isoformat()} 00:00:00{zone}'"


def _later(day: date, interval: Interval, count: int) -> date:
    if interval in _MONTHS:
        month = day.year * 12 + day.month - 1 + count * _MONTHS[interval]
        if month >= 10_000 * 12:
            raise OverflowError("the calendar ends with the year 9999")
        return date(month // 12, month % 12 + 1, 1) if month >= 12 else FIRST
    days = count * (7 if interval == "week" else 1)
    return max(FIRST, day + timedelta(days=days)) if day.toordinal() + days >= 1 else FIRST
