"""The steps that fill tables from others."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lockgate.plan.partitions import Day, Interval, NamePattern
from lockgate.plan.step import AnyStep, KeyColumns, OrderBy, Reasons, distinct
from lockgate.plan.values import (
    AddressName,
    ColumnName,
    DrivingName,
    Identifier,
    PositiveDuration,
    RelationName,
    SqlFragment,
    SqlText,
    split_name,
)


class MapStep(AnyStep):
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


class TransformStep(AnyStep):
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


class PartitionStep(AnyStep):
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


class RewriteStep(AnyStep):
    """Give a bloated table its space back while the application goes on: copied into a fresh one, swapped by name."""

    rewrite: Identifier = Field(description="Name of the step, unique in the plan; `close` knows it by it.")
    table: RelationName = Field(description="The table.")
    aside: ColumnName | None = Field(
        None,
        description="The name that the table of before has until `close` drops it; left out: `<table>_before`.",
    )
    hold: PositiveDuration = Field(
        timedelta(seconds=2), description="Longest time in which the table's readers and writers wait, in one try."
    )


ReplacingStep = PartitionStep | RewriteStep
"""What puts another table in a table's place."""


class CopyStep(AnyStep):
    """Copy tables of another database into this one, and copy again what differs until nothing does."""

    copy_: Identifier = Field(alias="copy", description="Name of the copy, unique in the plan.")
    from_: AddressName | None = Field(
        None,
        alias="from",
        description="Where the other database is: the name of the environment variable that holds its address, or "
        "`service=NAME`. It is only read.",
    )
    tables: Annotated[tuple[RelationName, ...], AfterValidator(distinct)] = Field(
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
