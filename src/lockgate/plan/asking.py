"""The gates that ask what the server has counted: whether tables are still written, or used at all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lockgate.plan.base import Strict
from lockgate.plan.values import PositiveDuration, RelationPattern, Variable, Word


class Unwritten(Strict):
    """Which tables, and how long."""

    tables: Annotated[tuple[RelationPattern, ...], Field(min_length=1)] = Field(
        description="The tables, with their partitions."
    )
    for_: PositiveDuration = Field(alias="for", description="How long no row of them must have been written.")


class UnwrittenGate(Strict):
    """Nobody must have written to tables for some time, by what the server counts. Begin with `lockgate sample`."""

    unwritten: Unwritten = Field(description="The tables, and the time.")


class Unused(Strict):
    """Which tables, how long, and where else to look for them."""

    tables: Annotated[tuple[RelationPattern, ...], Field(min_length=1)] = Field(
        description="The tables, with their partitions."
    )
    for_: PositiveDuration = Field(
        alias="for", description="How long nobody but Lockgate must have read or written them."
    )
    replicas: tuple[Variable, ...] = Field(
        (),
        description="Standbys, whose reads the primary does not count: names of environment variables that hold their "
        "addresses. Each must be reached, by `lockgate sample` too.",
    )
    code: tuple[Word, ...] = Field(
        (), description="Folders of code, from the plan's folder on, in whose text files no table's name may stand."
    )
    allow: tuple[Word, ...] = Field(
        (), description="Names, as the refusal gives them, of what may go on depending on the tables."
    )


class UnusedGate(Strict):
    """Nobody must have used tables for some time, and nothing may depend on them. Begin with `lockgate sample`."""

    unused: Unused = Field(description="The tables, the time, and where else to look for them.")
