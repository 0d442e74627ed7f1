"""What a step ``normalise`` says, understood against the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Relation
from lockgate.errors import LockgateError, PlanError
from lockgate.normalising import registry
from lockgate.normalising.base import Normaliser, Unfit
from lockgate.plan.models import NormaliseStep, split_name
from lockgate.sql.tree import quote
from lockgate.suggest import did_you_mean

Place = Callable[..., str]
_TOO_LONG = "too long for the column"


@dataclass(frozen=True, slots=True)
class Part:
    """One column that gets normal forms.

    :param source: whose values; the column itself, or another one.
    :param clears: whether the column becomes NULL where a value is unfit.
    """

    column: Column
    source: Column
    normalise: Normaliser
    clears: bool

    @property
    def itself(self) -> bool:
        """Whether the column gets the normal form of its own value."""
        return self.source.number == self.column.number

    def wanted(self, value: str | None, held: str | None) -> tuple[str | None, str]:
        """What the column should hold, and the reason if the value is unfit (else an empty text)."""
        if value is None:
            return held, ""
        made = self.normalise(value)
        if isinstance(made, Unfit):
            return (None if self.clears else held), made.value
        if self.column.length is not None and len(made) > self.column.length:
            return (None if self.clears else held), _TOO_LONG
        return made, ""


@dataclass(frozen=True, slots=True)
class Fitting:
    """The step, ready for its table.

    :param unique: columns under which rows must not collide; none: that is not asked.
    """

    name: str
    table: Relation
    key: tuple[Column, ...]
    parts: tuple[Part, ...]
    unique: tuple[Column, ...]
    place: Place

    def place_of(self, source: Sequence[str]) -> str:
        """The identity of a row for quarantine: a JSON object of its key's columns, as texts."""
        pairs = zip((column.name for column in self.key), source, strict=True)
        return json.dumps(dict(pairs), ensure_ascii=False)


def normalisers(step: NormaliseStep, place: Place) -> dict[str, Normaliser]:
    """Of each column of the plan its normaliser.

    :raises LockgateError: with its place, for a region that is not known, or a package that is not installed.
    """
    found = {}
    for name, column in step.columns.items():
        try:
            found[name] = registry.find(column.as_, column.region)
        except LockgateError as error:
            where = place("columns", name, "region")
            raise type(error)(error.what, where=where, why=error.why, hint=error.hint) from None
    return found


def of_step(conn: Connection[Any], step: NormaliseStep, place: Place) -> Fitting:
    """:raises PlanError: with the place, if the step does not fit the table."""
    table = catalog.named(conn, step.table, place("table"))
    if table.kind not in {"r", "p"} or any(leaf.kind == "f" for leaf in table.leaves):
        raise PlanError(
            f"{table.label} is no table, or has partitions that are none",
            where=place("table"),
            why="What a view or a foreign table shows cannot be changed in pieces.",
        )
    if table.inherited:
        raise PlanError(
            f"{table.label} has tables that inherit from it",
            where=place("table"),
            why="Their rows are rows of it, too, and its key does not tell them apart.",
            hint="Bring the values of each of them into their form with a step of its own.",
        )
    key = tuple(_column(table, name, place("key", n)) for n, name in enumerate(step.key))
    _refuse_key(table, key, place("key"))
    _refuse_triggers(table, step, place("table"))
    made = normalisers(step, place)
    parts = []
    for name, said in step.columns.items():
        column = _column(table, name, place("columns", name))
        source = _column(table, said.from_, place("columns", name, "from")) if said.from_ else column
        _refuse_types(conn, table, column, source, place("columns", name))
        if step.on_unfit == "clear" and column.not_null:
            raise PlanError(
                f"Column {column.name} of {table.label} is NOT NULL and cannot be cleared",
                where=place("on_unfit"),
                hint="Say `keep`, or make the column nullable.",
            )
        parts.append(Part(column, source, made[name], step.on_unfit == "clear"))
    unique = tuple(_column(table, name, place("unique", n)) for n, name in enumerate(step.unique))
    return Fitting(step.normalise, table, key, tuple(parts), unique, place)


def dump(step: NormaliseStep) -> Mapping[str, Any]:
    """What must stay as it is once the step has begun, as JSON values."""
    return step.model_dump(mode="json", include={"table", "key", "columns", "on_unfit"})


def _column(table: Relation, name: str, where: str) -> Column:
    parts = split_name(name)
    assert parts is not None, "the plan's model lets no other name through"
    found = table.column(parts[0])
    if found is None:
        meant = did_you_mean(parts[0], [column.name for column in table.columns])
        raise PlanError(f"{table.label} has no column {parts[0]}{meant}", where=where)
    return found


def _refuse_key(table: Relation, key: tuple[Column, ...], where: str) -> None:
    names = tuple(column.name for column in key)
    listed = ", ".join(map(quote, names))
    if not any(index.identifies(names) for index in table.indexes):
        raise PlanError(
            f"{table.label} has no unique index on exactly its key ({', '.join(names)})",
            where=where,
            why="Two rows of one key could not be told apart; a partial, deferrable or invalid index does not count.",
            hint=f"CREATE UNIQUE INDEX CONCURRENTLY ON {table.sql} ({listed})",
        )
    nullable = [column.name for column in key if not column.not_null]
    if nullable:
        raise PlanError(
            f"Key column {nullable[0]} of {table.label} may be NULL",
            where=where,
            why="A row without a key could not be found again.",
            hint=f"ALTER TABLE {table.sql} ALTER COLUMN {quote(nullable[0])} SET NOT NULL",
        )


def _refuse_triggers(table: Relation, step: NormaliseStep, where: str) -> None:
    unknown = [t for t in table.triggers if t.enabled != "D" and t.name not in step.acknowledge_triggers]
    if unknown:
        raise PlanError(
            f"Trigger {unknown[0].name} of {table.label} would fire for every row that Lockgate writes",
            where=where,
            why=f"It calls {unknown[0].function}, which may send mail, fill an outbox or change the row.",
            hint=f"acknowledge_triggers: [{', '.join(t.name for t in unknown)}]  if that is meant",
        )


def _refuse_types(conn: Connection[Any], table: Relation, column: Column, source: Column, where: str) -> None:
    for each in {column.number: column, source.number: source}.values():
        row = conn.execute(
            "SELECT typcategory = 'S' FROM pg_catalog.pg_type WHERE oid = %s", (each.base_type_oid,)
        ).fetchone()
        if row is None or not row[0]:
            raise PlanError(
                f"Column {each.name} of {table.label} holds {each.type}, and no text",
                where=where,
                why="Normal forms are texts.",
            )
    if column.generated or column.identity == "a":
        raise PlanError(
            f"Column {column.name} of {table.label} is generated by the server and cannot be written", where=where
        )
