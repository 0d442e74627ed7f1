"""The steps that hand over to the new model and retire the old one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lockgate.plan.base import Strict
from lockgate.plan.filling import MapStep
from lockgate.plan.step import AnyStep, distinct
from lockgate.plan.values import (
    Identifier,
    PositiveDuration,
    RelationName,
    SqlText,
    Word,
)


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


class ArchiveStep(AnyStep):
    """Put tables aside: into a schema of their own, read-only for everybody, owner and superuser included."""

    archive: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(distinct)] = Field(
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


class CutoverStep(AnyStep):
    """Make the new model the one that is written: close the old one, in one short transaction."""

    cutover: Identifier = Field(description="Name of the cutover, unique in the plan.")
    old: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(distinct)] = Field(
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


class CloseStep(AnyStep):
    """Close the way back: the old model is kept in step no more, and the table of before a `rewrite` is dropped."""

    close: Identifier = Field(description="Name of the cutover, or of the step `partition` or `rewrite`.")
    id: Identifier | None = Field(
        None, description="Name in the ledger; left out: `close-N`, N its place in the phase."
    )


class DropStep(AnyStep):
    """Drop tables that an earlier phase archived, for good: kept long enough, unchanged, unused, and in two backups."""

    drop: Annotated[tuple[RelationName, ...], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="The tables, by the names that they had or have in the archive."
    )
    with_: Annotated[tuple[Word, ...], AfterValidator(distinct)] = Field(
        (),
        alias="with",
        description="What depends on them and is dropped before them, one by one, as the refusal names it: "
        "`view core.old_report`. Nothing else is dropped.",
    )
    id: Identifier | None = Field(None, description="Name in the ledger; left out: `drop-N`, N its place in the phase.")
