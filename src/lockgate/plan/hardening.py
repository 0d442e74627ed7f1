"""The steps that make a table sounder and faster as it stands."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lockgate.plan.step import AnyStep, KeyColumns, OrderBy, distinct
from lockgate.plan.values import Identifier, RelationName, SqlFragment, SqlText, Word


class IndexStep(AnyStep):
    """Build indexes while rows are written; of a partitioned table on one partition after the other."""

    index: SqlText = Field(
        description="CREATE INDEX statements, each with the name of the index. CONCURRENTLY need not be said: the "
        "indexes are built so."
    )
    replaces: Annotated[tuple[RelationName, ...], AfterValidator(distinct)] = Field(
        (),
        description="Indexes that these make superfluous: they are dropped, concurrently, when all of these are there.",
    )
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `index-N`, N its place in the phase."
    )


class ConstraintStep(AnyStep):
    """Add constraints while rows are written: first for what is written from now on, then proved of all rows."""

    constraint: SqlText = Field(
        description="ALTER TABLE statements that add constraints, each with its name, or SET NOT NULL. NOT VALID and "
        "indexes built before need not be said: the constraints are added so."
    )
    skip_missing: dict[Identifier, Word] = Field(
        default_factory=dict,
        description="Name of a foreign key -> why the table that it refers to may be missing: it is left out then, and "
        "reported so.",
    )
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `constraint-N`, N its place in the phase."
    )


class DedupeStep(AnyStep):
    """Remove rows that are alike while rows are written: one stays, the others are kept in quarantine."""

    dedupe: RelationName = Field(description="The table.")
    by: KeyColumns = Field(
        description="Columns in which rows are alike; a row without a value in one is like no other."
    )
    keep: Annotated[OrderBy, Field(min_length=1)] = Field(
        description="ORDER BY items: the first of the rows that are alike stays; where they leave it open, the key "
        "decides. What refers to the others refers to it then."
    )
    key: KeyColumns | None = Field(
        None, description="Columns that identify a row, uniquely indexed and never NULL. Left out: the primary key."
    )
    where: SqlFragment | None = Field(None, description="Condition on the rows that are looked at. Left out: all.")
    nulls_alike: bool = Field(False, description="Whether rows without a value are alike, too, as NULLS NOT DISTINCT.")
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the table, and of those that refer to it, that may fire for what Lockgate writes."
    )
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `dedupe-N`, N its place in the phase."
    )
