"""The gates that ask what the server has counted: whether tables are still written, or used at all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lockgate.plan.base import Strict
from lockgate.plan.values import PositiveDuration, RelationPattern


class Unwritten(Strict):
    """Which tables, and how long."""

    tables: Annotated[tuple[RelationPattern, ...], Field(min_length=1)] = Field(
        description="The tables, with their partitions."
    )
    for_: PositiveDuration = Field(alias="for", description="How long no row of them must have been written.")


class UnwrittenGate(Strict):
    """Nobody must have written to tables for some time, by what the server counts. Begin with `lockgate sample`."""

    unwritten: Unwritten = Field(description="The tables, and the time.")
