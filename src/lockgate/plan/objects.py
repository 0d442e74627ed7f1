"""What the check `objects` looks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lockgate.plan.base import Strict
from lockgate.plan.values import ColumnsName, RelationName, RelationPart, Scalar, SchemaName, SqlFragment, Word

Rule = Literal["no action", "restrict", "cascade", "set null", "set default"]
Number = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Reference(Strict):
    """A foreign key, which must be enforced for every row."""

    references: RelationName = Field(description="The table that it must refer to.")
    on_delete: Rule | None = Field(None, description="What must happen to its rows with the row that they refer to.")
    on_update: Rule | None = Field(None, description="What must happen when the key that they refer to changes.")


class Ranges(Strict):
    """Partitions by time, by the database's clock, in UTC."""

    every: Literal["day", "week", "month", "year"] = Field(description="What one partition holds.")
    behind: int = Field(0, ge=0, le=1000, description="How many whole ones before the present one must be there.")
    ahead: int = Field(0, ge=0, le=1000, description="How many after the present one must be there.")
    named: Word | None = Field(None, description="How they must be called, such as messages_%Y_%m.")


class Counts(Strict):
    """How many there are of some kinds in a schema, without what is an extension's; at least one kind."""

    tables: Number | None = Field(None, description="Tables, without partitions.")
    partitions: Number | None = Field(None, description="Partitions.")
    indexes: Number | None = Field(None, description="Indexes, those of constraints and of partitions too.")
    foreign_keys: Number | None = Field(None, description="Foreign keys.")
    views: Number | None = Field(None, description="Views, materialized ones too.")
    sequences: Number | None = Field(None, description="Sequences.")
    functions: Number | None = Field(None, description="Functions and procedures.")
    triggers: Number | None = Field(None, description="Triggers, those of a partitioned table once.")
    types: Number | None = Field(None, description="Enums, domains, composite types and ranges.")

    @model_validator(mode="after")
    def _something(self) -> Counts:
        if not self.model_fields_set:
            raise ValueError("counts nothing")
        return self


class Sound(Strict):
    """What must not be found in some schemas: an index that is invalid or redundant, a constraint not validated."""

    schemas: Annotated[tuple[SchemaName, ...], Field(min_length=1)] = Field(description="Where to look.")
    redundant: tuple[RelationName, ...] = Field((), description="Indexes that are known to be redundant, and stay.")


class Objects(Strict):
    """What must be there, and what must not; at least one."""

    tables: tuple[RelationName, ...] = Field((), description="Tables that must exist.")
    columns: dict[RelationPart, str] = Field(
        default_factory=dict,
        description="schema.table.column -> the type that it must have; `uuid null` and `uuid not null` also say "
        "whether it takes NULL.",
    )
    indexes: tuple[RelationName, ...] = Field((), description="Indexes that must be present and valid.")
    constraints: tuple[RelationPart, ...] = Field((), description="Constraints that must be present and validated.")
    foreign_keys: dict[ColumnsName, Reference] = Field(
        default_factory=dict,
        description="schema.table.column, or schema.table.(column, column) -> the foreign key that they must have, "
        "validated and enforced.",
    )
    triggers: tuple[RelationPart, ...] = Field((), description="Triggers that must be present and enabled.")
    fires: dict[RelationPart, SqlFragment] = Field(
        default_factory=dict,
        description="schema.table.trigger -> an INSERT, UPDATE, DELETE or MERGE that must make it fire; it is run, and "
        "rolled back. A trigger whose own function refuses the statement has fired.",
    )
    views: tuple[RelationName, ...] = Field((), description="Views that must exist; a materialized one populated.")
    sequences: tuple[RelationName, ...] = Field((), description="Sequences that must exist.")
    types: tuple[RelationName, ...] = Field((), description="Types that must exist: enums, domains, composite ones.")
    enums: dict[RelationName, tuple[str, ...]] = Field(
        default_factory=dict, description="schema.enum -> exactly the labels that it must have, in their order."
    )
    functions: tuple[Word, ...] = Field(
        (), description="Functions and procedures that must exist: schema.name(types), or schema.name for any types."
    )
    calls: dict[SqlFragment, Scalar] = Field(
        default_factory=dict,
        description="A call, schema.name(arguments) -> the value that it must yield; null: any, it must only not fail. "
        "It is made, and rolled back.",
    )
    extensions: tuple[Word, ...] = Field((), description="Extensions that must be there.")
    partitions: dict[RelationName, Ranges] = Field(
        default_factory=dict, description="schema.table -> the partitions by time that it must have; it may have more."
    )
    count: dict[SchemaName, Counts] = Field(
        default_factory=dict, description="Schema -> exactly how many objects it must have."
    )
    at_least: dict[SchemaName, Counts] = Field(
        default_factory=dict, description="Schema -> how many objects it must have at least."
    )
    not_counted: tuple[RelationName, ...] = Field(
        (), description="Tables that are not counted, with all that is on them: another tool's history."
    )
    sound: Sound | None = Field(None, description="Schemas in which nothing is invalid, redundant or not validated.")
    absent: tuple[RelationName, ...] = Field((), description="Relations that must not exist.")

    @model_validator(mode="after")
    def _something(self) -> Objects:
        if not any(getattr(self, name) for name in type(self).model_fields if name != "not_counted"):
            raise ValueError("names nothing to look for")
        return self
