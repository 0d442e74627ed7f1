"""The kinds of step."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Field, Tag, model_validator

from lockgate.plan.base import Kinds, Strict, told_apart_by
from lockgate.plan.partitions import Day, Interval, NamePattern
from lockgate.plan.values import (
    AddressName,
    ColumnName,
    DrivingName,
    Identifier,
    PositiveDuration,
    RelationName,
    SqlFragment,
    SqlText,
    Version,
    Word,
    split_name,
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
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `archive-N`, N its place in the phase."
    )


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


class PartitionStep(_Step):
    """Turn a table into a partitioned one while the application goes on: filled, kept in step, swapped by name."""

    partition: Identifier = Field(
        description="Name of the step, unique in the plan; `close` and `verify` know it by it."
    )
    table: RelationName = Field(description="The table.")
    by: ColumnName = Field(description="The column by whose ranges it is partitioned: a date or timestamp, NOT NULL.")
    interval: Interval = Field(description="What one partition covers; of a column with time zone, in UTC.")
    primary_key: KeyColumns | None = Field(
        None,
        description="The primary key that the partitioned table gets; it holds `by`. "
        "Left out: that of the table, which must hold it.",
    )
    ahead: int = Field(5, ge=0, le=1000, description="How many partitions are made beside the present one, for later.")
    start: Day | None = Field(
        None, description="No partition is made for a time before this day; such rows stay in the default partition."
    )
    name: NamePattern | None = Field(
        None,
        description="Names of the partitions; YYYY, MM and DD stand for the day on which one begins. "
        "Left out: `<table>_YYYY_MM` for months, and so on.",
    )
    aside: ColumnName | None = Field(
        None, description="The name that the table of before gets; left out: `<table>_before`."
    )
    hold: PositiveDuration = Field(
        timedelta(seconds=2), description="Longest time in which the table's readers and writers wait, in one try."
    )

    @property
    def first_day(self) -> date:
        """The day before which no partition is made."""
        return date.fromisoformat(self.start) if self.start is not None else date.min


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


class CopyStep(_Step):
    """Copy tables of another database into this one, and copy again what differs until nothing does."""

    copy_: Identifier = Field(alias="copy", description="Name of the copy, unique in the plan.")
    from_: AddressName | None = Field(
        None,
        alias="from",
        description="Where the other database is: the name of the environment variable that holds its address, or "
        "`service=NAME`. It is only read.",
    )
    tables: Annotated[tuple[RelationName, ...], AfterValidator(_distinct)] = Field(
        (), description="The tables of this database to fill, in any order: foreign keys decide."
    )
    named: dict[RelationName, RelationName] = Field(
        default_factory=dict, description="Table -> the name that it has in the other database, where it is another."
    )
    columns: dict[RelationName, KeyColumns] = Field(
        default_factory=dict,
        description="Table -> the columns to copy; left out: all there are, none of which may be missing here.",
    )
    where: dict[RelationName, SqlFragment] = Field(
        default_factory=dict, description="Table -> condition on the rows to copy, over the table as `s`."
    )
    key: dict[RelationName, KeyColumns] = Field(
        default_factory=dict, description="Table -> columns that identify a row, if not those of its primary key."
    )
    select: dict[RelationName, SqlText] = Field(
        default_factory=dict,
        description="Table -> a SELECT in the other database that yields its rows, under its columns' names.",
    )
    triggers: Literal["fire", "off"] | None = Field(
        None,
        description="Needed if the tables have triggers. `fire`: they fire for the rows that are copied. `off`: they "
        "do not; other writers of the table wait for each chunk, and the role must own the table.",
    )
    passes: int = Field(10, ge=1, le=1000, description="How often what differs is looked for and copied, at most.")
    until: Literal["equal", "passes"] = Field(
        "equal",
        description="`equal`: a pass must find no difference, else the step fails. `passes`: what is left is told.",
    )
    back: AddressName | None = Field(
        None,
        description="As `from`, with a role that may write: a rollback takes what was written here since into the "
        "other database first. Without it a rollback says how many rows would be lost, and needs `--lose-rows`. "
        "Not beside `where` or `select`.",
    )
    again: Identifier | None = Field(
        None,
        description="Name of an earlier copy: its tables are copied again where they differ. Nothing but `passes`, "
        "`until` and `title` stands beside it.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> CopyStep:
        if self.again is None:
            if self.from_ is None or not self.tables:
                raise ValueError("needs `from` and `tables`, or `again`")
            known = {split_name(name) for name in self.tables}
            for key in ("named", "columns", "where", "key", "select"):
                for name in getattr(self, key):
                    if split_name(name) not in known:
                        raise ValueError(f"has `{name}` in `{key}`, which is not in `tables`")
            if self.back is not None and (self.where or self.select):
                raise ValueError("has `back`, but what a `where` or a `select` yields cannot be taken back")
        elif self.model_fields_set - {"copy_", "again", "passes", "until", "title"}:
            raise ValueError("has `again`, beside which only `passes`, `until` and `title` may stand")
        return self


Step = Annotated[
    Annotated[SqlStep, Tag("sql")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[MigrateStep, Tag("migrate")]
    | Annotated[CopyStep, Tag("copy")]
    | Annotated[AnalyzeStep, Tag("analyze")]
    | Annotated[MeasureStep, Tag("measure")]
    | Annotated[CutoverStep, Tag("cutover")]
    | Annotated[PartitionStep, Tag("partition")]
    | Annotated[CloseStep, Tag("close")]
    | Annotated[ArchiveStep, Tag("archive")]
    | Annotated[DropStep, Tag("drop")],
    told_apart_by(
        "sql",
        "map",
        "transform",
        "migrate",
        "copy",
        "analyze",
        "measure",
        "cutover",
        "partition",
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
        case MeasureStep():
            name = step.measure
        case CutoverStep():
            name = step.cutover
        case PartitionStep():
            name = step.partition
        case SqlStep() | MigrateStep() | AnalyzeStep() | ArchiveStep() | CloseStep() | DropStep():
            name = step.id
        case _:
            assert_never(step)
    if name is None:
        raise ValueError("a step gets its name when its plan is loaded")
    return name


def way_back_of(partition: str) -> str:
    """The name of the mapping that keeps the table of before in step with the partitioned one."""
    return f"{partition[:58]}-back"


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
