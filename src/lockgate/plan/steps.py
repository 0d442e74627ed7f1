"""The kinds of step."""

from __future__ import annotations

from typing import Annotated, assert_never

from pydantic import Field, Tag

from lockgate.plan.base import Kinds, told_apart_by
from lockgate.plan.filling import CopyStep, MapStep, PartitionStep, RewriteStep, TransformStep
from lockgate.plan.hardening import ConstraintStep, DedupeStep, IndexStep
from lockgate.plan.normalising import NormaliseStep
from lockgate.plan.retiring import ArchiveStep, CloseStep, CutoverStep, DropStep
from lockgate.plan.step import AnyStep
from lockgate.plan.values import (
    Identifier,
    RelationName,
    SqlText,
    Version,
)


class SqlStep(AnyStep):
    """Run SQL statements."""

    sql: SqlText = Field(description="The statements.")
    id: Identifier | None = Field(
        None,
        description="Name in the ledger; left out: the name of the .sql file without its ending, "
        "or `sql-N`, N its place in the phase.",
    )
    outside_transaction: bool = Field(
        False,
        description="False: all statements in one transaction. "
        "True: one by one, each resumable, as CREATE INDEX CONCURRENTLY needs.",
    )


class AnalyzeStep(AnyStep):
    """Refresh the planner's statistics."""

    analyze: Annotated[tuple[RelationName, ...], Field(min_length=1)] = Field(description="The tables.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `analyze-N`, N its place in the phase."
    )


class MeasureStep(AnyStep):
    """Time two queries against each other, interleaved, and keep times and query plans as evidence."""

    measure: Identifier = Field(description="Name of the measurement, unique in the plan.")
    before: SqlText = Field(description="The query over the old model; %(name)s stands for a parameter.")
    after: SqlText = Field(description="The query over the new model; the same parameters.")
    parameters: SqlText | None = Field(None, description="A query whose rows are the parameter sets, a column a name.")
    runs: int = Field(20, ge=3, le=1000, description="Interleaved runs of each query.")
    same_rows: bool = Field(True, description="Fail unless both queries return the same rows.")


class MigrateStep(AnyStep):
    """Apply the migrations of the folder in `migrations`, up to and including one, and keep their tool's history."""

    migrate: Version = Field(description="The version of the last migration to apply, as its tool names it.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `migrate-N`, N its place in the phase."
    )


Step = Annotated[
    Annotated[SqlStep, Tag("sql")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[MigrateStep, Tag("migrate")]
    | Annotated[CopyStep, Tag("copy")]
    | Annotated[NormaliseStep, Tag("normalise")]
    | Annotated[DedupeStep, Tag("dedupe")]
    | Annotated[IndexStep, Tag("index")]
    | Annotated[ConstraintStep, Tag("constraint")]
    | Annotated[AnalyzeStep, Tag("analyze")]
    | Annotated[MeasureStep, Tag("measure")]
    | Annotated[CutoverStep, Tag("cutover")]
    | Annotated[PartitionStep, Tag("partition")]
    | Annotated[RewriteStep, Tag("rewrite")]
    | Annotated[CloseStep, Tag("close")]
    | Annotated[ArchiveStep, Tag("archive")]
    | Annotated[DropStep, Tag("drop")],
    told_apart_by(
        "sql",
        "map",
        "transform",
        "migrate",
        "copy",
        "normalise",
        "dedupe",
        "index",
        "constraint",
        "analyze",
        "measure",
        "cutover",
        "partition",
        "rewrite",
        "close",
        "archive",
        "drop",
    ),
    Kinds("step"),
]


def step_name(step: Step) -> str:
    """The name of a step in the ledger; a loaded plan has one for every step."""
    match step:
        case MapStep():
            name: str | None = step.map
        case TransformStep():
            name = step.transform
        case CopyStep():
            name = step.copy_
        case NormaliseStep():
            name = step.normalise
        case MeasureStep():
            name = step.measure
        case CutoverStep():
            name = step.cutover
        case PartitionStep():
            name = step.partition
        case RewriteStep():
            name = step.rewrite
        case SqlStep() | MigrateStep() | DedupeStep() | IndexStep() | ConstraintStep() | AnalyzeStep():
            name = step.id
        case ArchiveStep() | CloseStep() | DropStep():
            name = step.id
        case _:
            assert_never(step)
    if name is None:
        raise ValueError("a step gets its name when its plan is loaded")
    return name


def way_back_of(step: str) -> str:
    """The name of the mapping that keeps the table of before in step with the one that took its place."""
    return f"{step[:58]}-back"


def mappings_of(step: Step) -> tuple[str, ...]:
    """The names under which a step brings what must agree when its phase is done: mappings, and copies."""
    match step:
        case MapStep():
            return (step.map,)
        case TransformStep():
            return (step.transform,)
        case CutoverStep():
            return tuple(each.map for each in step.back)
        case CopyStep():
            return (step.copy_,) if step.until == "equal" else ()
        case _:
            return ()
