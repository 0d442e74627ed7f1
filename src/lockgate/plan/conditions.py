"""The kinds of gate, which must hold before a phase, and of check, which must hold after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator

from lockgate.plan.asking import UnusedGate, UnwrittenGate
from lockgate.plan.base import Kinds, Strict, told_apart_by
from lockgate.plan.foresight import CheckedGate, RehearsedGate
from lockgate.plan.objects import Objects
from lockgate.plan.proofs import BackupGate
from lockgate.plan.values import (
    Duration,
    Identifier,
    PositiveDuration,
    RelationName,
    Scalar,
    SqlText,
    Word,
)

Expectation = Literal["equals", "at_least", "at_most", "empty"]
EXPECTATIONS: tuple[Expectation, ...] = ("equals", "at_least", "at_most", "empty")


class _Expectation(Strict):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in EXPECTATIONS]})

    equals: Scalar = Field(
        None,
        description="The value that the query must yield: text, number, true, false or null; "
        "a text that starts with SELECT or WITH is a query that yields it.",
    )
    at_least: float | None = Field(None, description="The query must yield at least this number.")
    at_most: float | None = Field(None, description="The query must yield at most this number.")
    empty: bool | None = Field(None, description="True: the query must yield no row; false: at least one.")

    @property
    def expectation(self) -> Expectation:
        """Which of the four is expected. ``equals`` with a value of None means that NULL is expected."""
        return next(name for name in EXPECTATIONS if self._says(name))

    def _says(self, name: Expectation) -> bool:
        return name in self.model_fields_set and (name == "equals" or getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_expectation(self) -> _Expectation:
        said = [name for name in EXPECTATIONS if self._says(name)]
        if len(said) != 1:
            found = " and ".join(f"`{name}`" for name in said) if said else "none"
            raise ValueError(f"needs one of `equals`, `at_least`, `at_most`, `empty`, and has {found}")
        return self

    @model_serializer(mode="wrap")
    def _keep_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # `equals: null` says that NULL is expected, yet it is also the default, which a dump may leave out.
        said: dict[str, Any] = handler(self)
        return {"equals": None, **said} if self.expectation == "equals" else said


class QueryGate(_Expectation):
    """A query must yield what one of the four expectations says, before the phase may start."""

    query: SqlText = Field(description="A query that yields one value, or rows for `empty`.")
    title: str | None = Field(None, description="What it means, in words.")


class Soak(Strict):
    """How long, and since when."""

    since: Identifier = Field(description="The earlier phase whose end starts the time.")
    for_: Duration = Field(alias="for", description="How long ago that phase must have ended.")


class SoakGate(Strict):
    """Time must have passed since an earlier phase ended."""

    soak: Soak = Field(description="The phase to count from, and the time.")


class Approval(Strict):
    """Who must approve."""

    by: int = Field(1, ge=1, le=100, description="How many different people must approve.")


class ApprovalGate(Strict):
    """People must have approved this plan for this schema."""

    approval: Approval = Field(description="Who must approve; `{}` for one person.")


class CommandGate(Strict):
    """An outside program must say that the phase may start: monitoring's error rate, a provider's snapshot."""

    command: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(
        description="The program and its arguments, run in the plan's folder without a shell. It is also asked by "
        "`lockgate plan`, so it must change nothing. 0 opens the gate; what it says is kept as evidence."
    )
    title: str | None = Field(None, description="What it means, in words.")
    within: PositiveDuration = Field(
        timedelta(seconds=30), description="Longest time that it may take; then it is ended, and the gate stays closed."
    )


Gate = Annotated[
    Annotated[QueryGate, Tag("query")]
    | Annotated[SoakGate, Tag("soak")]
    | Annotated[ApprovalGate, Tag("approval")]
    | Annotated[CommandGate, Tag("command")]
    | Annotated[CheckedGate, Tag("checked")]
    | Annotated[RehearsedGate, Tag("rehearsed")]
    | Annotated[BackupGate, Tag("backup")]
    | Annotated[UnwrittenGate, Tag("unwritten")]
    | Annotated[UnusedGate, Tag("unused")],
    told_apart_by("query", "soak", "approval", "command", "checked", "rehearsed", "backup", "unwritten", "unused"),
    Kinds("gate"),
]


class QueryCheck(_Expectation):
    """A query must yield what one of the four expectations says, after the phase."""

    query: SqlText = Field(description="A query that yields one value, or rows for `empty`.")
    title: str | None = Field(None, description="What it means, in words.")


class ObjectsCheck(Strict):
    """Schema objects must be present and valid, or absent."""

    objects: Objects = Field(description="What must be there, and what must not.")


class ReconcileCheck(Strict):
    """Mapping and table, or both sides of a copy, must agree, and every source row must be accounted for."""

    reconcile: Identifier = Field(description="Name of a mapping, transform or copy of this or an earlier phase.")


class ExplainCheck(Strict):
    """A query's plan must be as expected; at least one expectation."""

    explain: SqlText = Field(description="The query. It cannot write, and what it does is rolled back.")
    uses_index: str | None = Field(None, description="Name of an index that the plan must use; a partition's counts.")
    no_seq_scan: tuple[str, ...] = Field((), description="Tables that the plan must not scan from end to end.")
    partitions: dict[RelationName, tuple[str, ...]] = Field(
        default_factory=dict,
        description="schema.table -> names of its partitions: the plan must read no others.",
    )
    partitions_at_most: dict[RelationName, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="schema.table -> how many of its partitions the plan may read."
    )
    estimate_within: float | None = Field(
        None, ge=1, description="How many times more or fewer rows than the planner expects there may be."
    )
    at_most: PositiveDuration | None = Field(None, description="Longest time of the query, measured: the median.")
    analyze: bool = Field(
        False,
        description="Whether to run the query, so that what was never executed does not count; `at_most` and "
        "`estimate_within` run it anyway.",
    )
    runs: int = Field(3, ge=1, le=100, description="How often it is run.")

    @property
    def runs_it(self) -> bool:
        """Whether the query is executed."""
        return self.analyze or self.at_most is not None or self.estimate_within is not None

    @model_validator(mode="after")
    def _something(self) -> ExplainCheck:
        named = ("uses_index", "no_seq_scan", "partitions", "partitions_at_most", "estimate_within", "at_most")
        if not any(getattr(self, name) for name in named):
            raise ValueError("needs at least one of " + ", ".join(f"`{name}`" for name in named))
        return self


Check = Annotated[
    Annotated[QueryCheck, Tag("query")]
    | Annotated[ObjectsCheck, Tag("objects")]
    | Annotated[ReconcileCheck, Tag("reconcile")]
    | Annotated[ExplainCheck, Tag("explain")],
    told_apart_by("query", "objects", "reconcile", "explain"),
    Kinds("check"),
]
