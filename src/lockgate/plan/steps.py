"""The kinds of step."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field, Tag, model_validator

from lockgate.plan.base import Kinds, Strict, told_apart_by
from lockgate.plan.values import (
    ColumnName,
    DrivingName,
    Identifier,
    PositiveDuration,
    RelationName,
    SqlFragment,
    SqlText,
    Version,
    Word,
)


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((item for i, item in enumerate(value) if item in value[:i]), None)
    if twice is not None:
        raise ValueError(f"names `{twice}` twice")
    return value


KeyColumns = Annotated[tuple[ColumnName, ...], Field(min_length=1), AfterValidator(_distinct)]
OrderBy = tuple[SqlFragment, ...]
Reasons = dict[str, SqlFragment]


class _Step(Strict):
    title: str | None = Field(None, description="Shown in the report instead of the name.")


class SqlStep(_Step):
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


class MapStep(_Step):
    """Fill a table of the new model from a SELECT over the old one, and keep it in step."""

    map: Identifier = Field(description="Name of the mapping, unique in the plan.")
    into: RelationName = Field(description="The table to fill.")
    key: KeyColumns = Field(description="Columns of the target that identify a row; uniquely indexed and never NULL.")
    from_: DrivingName = Field(
        alias="from", description="The relation whose rows are accounted for; its key drives the batches."
    )
    select: SqlText = Field(description="The SELECT over the old model that yields the rows of the target.")
    winner: OrderBy = Field(
        (),
        description="ORDER BY items: who keeps a key that several rows yield; the driving key is last. Needed unless a "
        "unique index shows that no two rows yield one key, or they could not differ.",
    )
    rejected: Reasons = Field(
        default_factory=dict,
        description="Reason -> condition on the driving relation, for rows that yield nothing.",
    )
    not_kept: tuple[str, ...] = Field(
        (),
        description="Reasons whose rows are counted, but not copied into quarantine: rows that another mapping takes.",
    )
    on_insert: dict[ColumnName, SqlFragment] = Field(
        default_factory=dict, description="Column -> expression, set when a row is made and never compared."
    )
    sync: Literal["deferred", "none"] = Field(
        "deferred",
        description="How the target follows later writes: `deferred` logs them and applies them in batches; "
        "`none` does not follow them, and allows a SELECT that can only be copied whole, such as one with GROUP BY.",
    )
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the target that may fire for rows that Lockgate writes."
    )


class TransformStep(_Step):
    """Change columns of existing rows in place, in batches, and keep them so."""

    transform: Identifier = Field(description="Name of the transform, unique in the plan.")
    table: RelationName = Field(description="The table whose rows are changed.")
    key: KeyColumns = Field(description="Columns that identify a row; uniquely indexed and never NULL.")
    from_: DrivingName = Field(
        alias="from", description="The relation whose rows are accounted for; its key drives the batches."
    )
    select: SqlText = Field(
        description="A SELECT that yields the key and the new values; applying it twice changes nothing."
    )
    winner: OrderBy = Field(
        (),
        description="ORDER BY items: who decides a row that several rows yield; the driving key is last. "
        "Needed as in `map`.",
    )
    rejected: Reasons = Field(
        default_factory=dict,
        description="Reason -> condition on the driving relation, for rows that yield nothing.",
    )
    not_kept: tuple[str, ...] = Field(
        (),
        description="Reasons whose rows are counted, but not copied into quarantine: rows that another mapping takes.",
    )
    sync: Literal["deferred", "none"] = Field(
        "deferred",
        description="How the columns follow later writes: `deferred` logs them and applies them in batches; "
        "`none` does not follow them.",
    )
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the table that may fire for rows that Lockgate writes."
    )
    keep_before: bool = Field(True, description="Keep the old values, so that the undo can put them back.")


class AnalyzeStep(_Step):
    """Refresh the planner's statistics."""

    analyze: Annotated[tuple[RelationName, ...], Field(min_length=1)] = Field(description="The tables.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `analyze-N`, N its place in the phase."
    )


class MeasureStep(_Step):
    """Time two queries against each other, interleaved, and keep times and query plans as evidence."""

    measure: Identifier = Field(description="Name of the measurement, unique in the plan.")
    before: SqlText = Field(description="The query over the old model; %(name)s stands for a parameter.")
    after: SqlText = Field(description="The query over the new model; the same parameters.")
    parameters: SqlText | None = Field(None, description="A query whose rows are the parameter sets, a column a name.")
    runs: int = Field(20, ge=3, le=1000, description="Interleaved runs of each query.")
    same_rows: bool = Field(True, description="Fail unless both queries return the same rows.")


class OldName(Strict):
    """What answers at a table's old name when it is archived: the new model, by a SELECT and by SQL for writes."""

    select: SqlText = Field(
        description="A SELECT over the new model, which becomes a view of the table's old name. It yields the table's "
        "columns, in their order and with their types."
    )
    insert: SqlText | None = Field(
        None,
        description="SQL that is run for each row that is inserted into the view, in which `NEW` stands for it; or the "
        "`schema.name` of a trigger function. Left out: INSERT is refused.",
    )
    update: SqlText | None = Field(
        None, description="The same for UPDATE, in which `OLD` stands for the row as the view had it."
    )
    delete: SqlText | None = Field(None, description="The same for DELETE, with `OLD` alone.")
    rights: Literal["caller", "owner"] = Field(
        "caller",
        description="Whose rights are needed on the new model: those of who uses the view, or of the table's owner. "
        "Before PostgreSQL 15 a view reads with its owner's, so that `caller` is refused there.",
    )


class ArchiveStep(_Step):
    """Put tables aside: into a schema of their own, read-only for everybody, owner and superuser included."""

    archive: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="The tables; their indexes, constraints and own sequences move along."
    )
    retain: PositiveDuration = Field(description="How long they must be kept.")
    into: Identifier = Field("archive", description="The schema; made if it is not there.")
    why: str | None = Field(None, description="Why they are put aside.")
    replacement: RelationName | None = Field(None, description="The table that took their place.")
    tombstone: bool = Field(
        False,
        description="True: a view of each table's old name is left in its place. It reads the archived table, where "
        "the server counts that, and its writes are refused.",
    )
    views: dict[RelationName, OldName] = Field(
        default_factory=dict,
        description="Table -> what answers at its old name instead: the new model.",
    )
    purpose: Word | None = Field(
        None, description="What rows of people are kept for. With it goes `basis`; neither is given without the other."
    )
    basis: Word | None = Field(
        None, description="The law, contract or consent by which they may be kept until the retention is over."
    )
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `archive-N`, N its place in the phase."
    )

    @model_validator(mode="after")
    def _purpose_and_basis(self) -> ArchiveStep:
        if (self.purpose is None) != (self.basis is None):
            said, missing = ("purpose", "basis") if self.basis is None else ("basis", "purpose")
            raise ValueError(f"has `{said}` and no `{missing}`: data of people is kept for a purpose, on a legal basis")
        return self


class MigrateStep(_Step):
    """Apply the migrations of the folder in `migrations`, up to and including one, and keep their tool's history."""

    migrate: Version = Field(description="The version of the last migration to apply, as its tool names it.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `migrate-N`, N its place in the phase."
    )


class CutoverStep(_Step):
    """Make the new model the one that is written: close the old one, in one short transaction."""

    cutover: Identifier = Field(description="Name of the cutover, unique in the plan.")
    old: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="The tables to close, in the order in which they are locked: best the one first that the "
        "application's transactions write first."
    )
    stays_open: tuple[RelationName, ...] = Field(
        (),
        description="Tables that the mappings read beside them, which the new model follows no more, and tables that "
        "refer to them by foreign keys: they can be written as before.",
    )
    switch: SqlText | None = Field(
        None, description="SQL in the same transaction, by which the application learns that the new model is the one."
    )
    switch_back: SqlText | None = Field(None, description="SQL that takes `switch` back, in a rollback.")
    back: tuple[MapStep, ...] = Field(
        (),
        description="Mappings from the new model into the old tables. They keep the old model in step afterwards, so "
        "that going back loses nothing. Without them there is no way back but by losing what was written since.",
    )
    hold: PositiveDuration = Field(
        timedelta(seconds=2), description="Longest time in which writers of the old tables wait, in one try."
    )


class CloseStep(_Step):
    """Close the way back: from here on the old model is kept in step no more."""

    close: Identifier = Field(description="Name of the cutover.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `close-N`, N its place in the phase."
    )


class DropStep(_Step):
    """Drop tables that an earlier phase archived, for good: kept long enough, unchanged, unused, and in two backups."""

    drop: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="The tables, by the names that they had or have in the archive."
    )
    with_: Annotated[tuple[Word, ...], AfterValidator(_distinct)] = Field(
        (),
        alias="with",
        description="What depends on them and is dropped before them, one by one, as the refusal names it: "
        "`view core.old_report`. Nothing else is dropped.",
    )
    id: Identifier | None = Field(None, description="Name in the ledger; left out: `drop-N`, N its place in the phase.")


Step = Annotated[
    Annotated[SqlStep, Tag("sql")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[MigrateStep, Tag("migrate")]
    | Annotated[AnalyzeStep, Tag("analyze")]
    | Annotated[MeasureStep, Tag("measure")]
    | Annotated[CutoverStep, Tag("cutover")]
    | Annotated[CloseStep, Tag("close")]
    | Annotated[ArchiveStep, Tag("archive")]
    | Annotated[DropStep, Tag("drop")],
    told_apart_by("sql", "map", "transform", "migrate", "analyze", "measure", "cutover", "close", "archive", "drop"),
    Kinds("step"),
]


def step_name(step: Step) -> str:
    """The name of a step in the ledger; a loaded plan has one for every step."""
    match step:
        case MapStep():
            name: str | None = step.map
        case TransformStep():
            name = step.transform
        case MeasureStep():
            name = step.measure
        case CutoverStep():
            name = step.cutover
        case SqlStep() | MigrateStep() | AnalyzeStep() | ArchiveStep() | CloseStep() | DropStep():
            name = step.id
        case _:
            assert_never(step)
    if name is None:
        raise ValueError("a step gets its name when its plan is loaded")
    return name


def mappings_of(step: Step) -> tuple[str, ...]:
    """The names of the mappings that a step brings."""
    match step:
        case MapStep():
            return (step.map,)
        case TransformStep():
            return (step.transform,)
        case CutoverStep():
            return tuple(each.map for each in step.back)
        case _:
            return ()
