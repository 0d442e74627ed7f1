"""The step that brings values into their normal form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lockgate.plan.base import Strict
from lockgate.plan.step import AnyStep, KeyColumns, distinct
from lockgate.plan.values import ColumnName, Identifier, RelationName, Word, split_name

As = Literal["e164", "cep", "uf", "cpf", "cnpj", "email", "whitespace", "lower", "upper"]


class Normalised(Strict):
    """One column that gets the normal form of a value."""

    as_: As = Field(
        alias="as",
        description="What the values are: telephone numbers as `e164`, Brazil's `cep`, `uf`, `cpf` or `cnpj` without "
        "punctuation, `email` in lower case; or any text, in `lower` or `upper` case, or with `whitespace` only as "
        "single blanks within.",
    )
    from_: ColumnName | None = Field(
        None, alias="from", description="The column with the values; left out: the column itself."
    )
    region: Word | None = Field(
        None, description="With `e164`, and needed there: the region of numbers without a country's code, such as BR."
    )

    @model_validator(mode="after")
    def _region(self) -> Normalised:
        if (self.as_ == "e164") is not (self.region is not None):
            raise ValueError("needs `region` with `as: e164`, and with nothing else")
        return self


class NormaliseStep(AnyStep):
    """Bring values into their normal form, in batches beside writers; what is unfit is listed with its reason."""

    normalise: Identifier = Field(description="Name of the step, unique in the plan; `reconcile` knows it by it.")
    table: RelationName = Field(description="The table.")
    key: KeyColumns = Field(description="Columns that identify a row; uniquely indexed and never NULL.")
    columns: Annotated[dict[ColumnName, Normalised], Field(min_length=1)] = Field(
        description="Column -> whose normal form it gets. Where that is NULL it is left as it is."
    )
    on_unfit: Literal["keep", "clear"] = Field(
        "keep",
        description="What a column gets where the value has no normal form: `keep` leaves it as it is, `clear` makes "
        "it NULL. The value is kept in quarantine either way, with the reason.",
    )
    unique: Annotated[tuple[ColumnName, ...], AfterValidator(distinct)] = Field(
        (),
        description="Columns that a unique index shall stand on later: rows that would collide there are listed. "
        "None of them is changed for it.",
    )
    passes: int = Field(
        10, ge=1, le=1000, description="How often rows that were written meanwhile are looked for, at most."
    )
    acknowledge_triggers: tuple[str, ...] = Field(
        (), description="Triggers of the table that may fire for rows that Lockgate writes."
    )

    @model_validator(mode="after")
    def _apart(self) -> NormaliseStep:
        written = {split_name(name) for name in self.columns}
        if len(written) < len(self.columns):
            raise ValueError("names a column twice in `columns`")
        for name in self.key:
            if split_name(name) in written:
                raise ValueError(f"has `{name}` in `key`, by which rows are told apart, and in `columns`")
        for name, column in self.columns.items():
            source = split_name(column.from_) if column.from_ else None
            if source is not None and source in written and source != split_name(name):
                raise ValueError(f"has `{name}` from `{column.from_}`, which is itself in `columns`: use two steps")
        return self
