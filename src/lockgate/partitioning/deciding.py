"""Which partitions should be made and which retired: from the catalog and the day, without asking anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lockgate.partitioning.calendar import LAST, Period, between, period_of, shifted
from lockgate.partitioning.family import Family, Part
from lockgate.plan.models import Partitions
from lockgate.plan.partitions import name_of, pattern_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """A partition that is missing."""

    name: str
    period: Period


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with a table.

    :param finish: partitions that somebody began to detach.
    :param troubles: what cannot be as it is declared, in words.
    """

    make: tuple[Wanted, ...]
    retire: tuple[Part, ...]
    finish: tuple[Part, ...]
    troubles: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether all is as it is declared."""
        return not (self.make or self.retire or self.finish or self.troubles)


def decide(family: Family, care: Partitions, today: date, strays: Iterable[date] = ()) -> Decision:
    """What is to be done.

    :param today: by the database's clock, in UTC.
    :param strays: a day of each period that rows of the default partition are of.
    """
    present = period_of(today, care.interval)
    ranges = [part for part in family.ranges if not part.pending]
    wanted = set(between(present, shifted(present, care.interval, care.ahead), care.interval))
    wanted |= set(_of_strays(care, present, ranges, strays))
    pattern = care.name or pattern_of(family.name, care.interval)
    make: list[Wanted] = []
    troubles: list[str] = []
    for period in sorted(wanted):
        meeting = [part for part in ranges if part.meets(period)]
        if not meeting:
            make.append(Wanted(name_of(pattern, period.start), period))
        elif not _covered(period, meeting):
            names = ", ".join(part.label for part in meeting)
            troubles.append(
                f"{period.start} to {period.end} is covered in part, by {names}: "
                f"its bounds are not those of a {care.interval} in UTC"
            )
    retire: list[Part] = []
    if care.keep is not None:
        limit = _moment(shifted(present, care.interval, -care.keep).start)
        retire = [part for part in ranges if part.upper is not None and part.upper <= limit]
    finish = tuple(part for part in family.parts if part.pending)
    return Decision(tuple(make), tuple(retire), finish, tuple(troubles))


def fails_from(family: Family, now: datetime) -> datetime | None:
    """When rows of their time begin to fit no partition, so that inserts fail; None if they always fit one.

    :param now: without time zone, in UTC.
    """
    if family.default is not None:
        return None
    reached = now
    for part in family.ranges:
        if part.lower is not None and part.upper is not None and not part.pending and part.lower <= reached:
            reached = max(reached, part.upper)
    return None if reached >= _moment(LAST) else reached


def _of_strays(care: Partitions, present: Period, ranges: Sequence[Part], strays: Iterable[date]) -> Iterable[Period]:
    """The periods of rows in the default partition that should have one of their own."""
    last = shifted(present, care.interval, care.ahead)
    first = present
    if care.keep is not None:
        first = shifted(present, care.interval, -care.keep)
    elif ranges and ranges[0].lower is not None:
        first = min(present, period_of(ranges[0].lower.date(), care.interval))
    for day in strays:
        period = period_of(day, care.interval)
        if first.start <= period.start <= last.start:
            yield period


def _covered(period: Period, parts: Sequence[Part]) -> bool:
    reached = _moment(period.start)
    for part in parts:  # in the order of what they cover
        if part.lower is not None and part.upper is not None and part.lower <= reached:
            reached = max(reached, part.upper)
    return reached >= _moment(period.end)


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # bounds are compared in UTC
