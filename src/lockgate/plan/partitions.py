"""What a plan says about partitions: how long each covers, what they are called, and which are kept."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lockgate.plan.base import Strict
from lockgate.plan.values import Identifier, PositiveDuration, RelationName, ValueKind

Interval = Literal["day", "week", "month", "year"]

# A run of these words that no letter or digit stands before or behind: messages_YYYY_MM, logYYYY is none.
_PART = re.compile(r"(?<![^\W_])(?:YYYY|MM|DD)+(?![^\W_])")
_NEEDED: dict[Interval, tuple[str, ...]] = {
    "day": ("YYYY", "MM", "DD"),
    "week": ("YYYY", "MM", "DD"),
    "month": ("YYYY", "MM"),
    "year": ("YYYY",),
}


def _pattern(value: str) -> str:
    if not any("YYYY" in found for found in _PART.findall(value)):
        raise ValueError(f"must hold the year as YYYY, such as messages_YYYY_MM, not `{value}`")
    return value


def _date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"must be a date such as 2024-01-01, not `{value}`") from None
    return value


NamePattern = Annotated[str, AfterValidator(_pattern), ValueKind("text")]
Day = Annotated[str, AfterValidator(_date), ValueKind("date")]


def pattern_of(table: str, interval: Interval) -> str:
    """The pattern of names where the plan says none."""
    return "_".join((table.replace("YYYY", "yyyy"), *_NEEDED[interval]))


def lacks(pattern: str, interval: Interval) -> str | None:
    """The part without which two partitions would get one name; None if the pattern has all."""
    written = "".join(_PART.findall(pattern))
    return next((part for part in _NEEDED[interval] if part not in written), None)


def name_of(pattern: str, day: date) -> str:
    """The name of the partition that begins on a day."""
    values = {"YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "DD": f"{day.day:02}"}

    def fill(found: re.Match[str]) -> str:
        return re.sub("YYYY|MM|DD", lambda part: values[part[0]], found[0])

    return _PART.sub(fill, pattern)


class Partitions(Strict):
    """Partitions that `lockgate partitions` makes ahead of time and retires, again and again."""

    table: RelationName = Field(description="The partitioned table: by range of one date or timestamp column.")
    interval: Interval = Field(description="What one partition covers; of a column with time zone, in UTC.")
    ahead: int = Field(5, ge=1, le=1000, description="How many partitions there are beside the present one, for later.")
    keep: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="How many past partitions stay beside the present one; older ones go into the archive. "
        "Left out: all stay.",
    )
    name: NamePattern | None = Field(
        None,
        description="Names of new partitions; YYYY, MM and DD stand for the day on which one begins. "
        "Left out: `<table>_YYYY_MM` for months, and so on. What is a partition the catalog says, never a name.",
    )
    archive: Identifier = Field("archive", description="The schema that old partitions go into, read-only.")
    retain: PositiveDuration = Field(timedelta(days=90), description="How long they must be kept there.")
    hold: PositiveDuration = Field(
        timedelta(seconds=2), description="Longest time in which writers of the default partition wait, in one try."
    )
