"""What the models of all kinds of step share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lockgate.plan.base import Strict
from lockgate.plan.values import (
    ColumnName,
    SqlFragment,
)


def distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    """:raises ValueError: if something is named twice."""
    twice = next((item for i, item in enumerate(value) if item in value[:i]), None)
    if twice is not None:
        raise ValueError(f"names `{twice}` twice")
    return value


KeyColumns = Annotated[tuple[ColumnName, ...], Field(min_length=1), AfterValidator(distinct)]
OrderBy = tuple[SqlFragment, ...]
Reasons = dict[str, SqlFragment]


class AnyStep(Strict):
    """A step of any kind."""

    title: str | None = Field(None, description="Shown in the report instead of the name.")
