"""A mapping that was understood: what it reads, what it yields, and how two yields of one key are ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockgate.catalog.relations import Column, Relation
from lockgate.mapping.definition import Definition
from lockgate.sql.select import Occurrence, Select
from lockgate.sql.tree import quote

_TABLES = ("r", "p")


@dataclass(frozen=True, slots=True)
class Base:
    """A relation that the mapping reads.

    :param columns: what must be logged of a changed row: read columns, and the inputs of virtual ones.
    :param occurrences: the numbers of the places where it is read.
    """

    relation: Relation
    columns: tuple[Column, ...]
    occurrences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Winner:
    """One word of the order that decides who keeps a key: an expression and its direction."""

    expression: str
    direction: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mapping, checked against the database.

    :param columns: target columns beside the key that the SELECT yields.
    :param driving: where the driving relation stands; ``driving_key`` names the columns that identify its rows
        (empty: rows are identified by their physical place).
    :param fan_out: whether one driving row may yield several rows.
    """

    definition: Definition
    select: Select
    target: Relation
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    bases: tuple[Base, ...]
    driving: Occurrence
    driving_relation: Relation
    driving_key: tuple[str, ...]
    winner: tuple[Winner, ...]
    fan_out: bool

    @property
    def name(self) -> str:
        """Name of the mapping."""
        return self.definition.name

    @property
    def outputs(self) -> tuple[Column, ...]:
        """Target columns that the mapping decides: the key, then the others."""
        return self.key + self.columns

    @property
    def shown(self) -> tuple[Column, ...]:
        """Target columns in which two rows of equal key may differ: also key columns such as 1.0 and 1.00."""
        return tuple(column for column in self.key if not column.exact_hash) + self.columns

    def driving_identity(self, alias: str) -> list[str]:
        """Expressions that identify a driving row, over ``alias``; none where it cannot be told which row it was."""
        if self.select.whole:
            return []
        if self.driving_key:
            return [f"{alias}.{quote(name)}" for name in self.driving_key]
        place = [f"{alias}.ctid"]
        return [f"{alias}.tableoid", *place] if self.driving_relation.kind == "p" else place

    def driving_types(self) -> list[str]:
        """The types of what identifies a driving row."""
        if self.select.whole:
            return []
        if self.driving_key:
            types = {column.name: column.type for column in self.driving_relation.columns}
            return [types[name] for name in self.driving_key]
        return ["oid", "tid"] if self.driving_relation.kind == "p" else ["tid"]

    def same_driving_row(self, left: Sequence[str], right: Sequence[str]) -> str:
        """The condition that two lists of what identifies a driving row agree, by each type's own equality."""
        equals = {column.name: column.equals for column in self.driving_relation.columns}
        operators = [equals[name] for name in self.driving_key] or ["="] * len(left)
        return " AND ".join(f"{mine} {op} {other}" for mine, op, other in zip(left, operators, right, strict=True))

    def yields(
        self,
        *,
        extra: Sequence[tuple[str, str]] = (),
        replace: Mapping[int, str] | None = None,
        where: Sequence[str] = (),
    ) -> str:
        """The SELECT with the winner's words as ``lockgate_w*`` and the driving identity as ``lockgate_d*``.

        :param extra: further outputs as (expression, name).
        """
        extra = [*extra, *((word.expression, f"lockgate_w{i}") for i, word in enumerate(self.winner))]
        extra += [
            (expression, f"lockgate_d{i}")
            for i, expression in enumerate(self.driving_identity(quote(self.driving.alias)))
        ]
        return self.select.render(extra=extra, replace=replace, where=where)

    @property
    def computes_key(self) -> bool:
        """Whether a column of the key is made of others, so that making it of a row that is not yielded may fail."""
        relations = all(base.relation.kind in _TABLES for base in self.bases)
        return not relations or not {column.name for column in self.key} <= self.select.stored_outputs

    @property
    def kinds(self) -> dict[tuple[str, str], str]:
        """Type and collation of the columns that are read, where equal values are the same: by alias and name."""
        return {
            (occurrence.alias, column.name): f"{column.plain_type} {column.collation}"
            for base in self.bases
            for occurrence in self.select.occurrences
            if occurrence.index in base.occurrences and occurrence.outermost
            for column in base.relation.columns
            if column.exact_hash and column.deterministic
        }

    def apart(self, query: str) -> str:
        """A query derived from the SELECT, so that conditions on the key are asked of its rows, and of no others.

        The server asks them below its joins otherwise: of ``code::int`` also where the join finds no number. A key
        that is read as it stands needs no fence, and the indexes on it go on to serve.
        """
        return f"{query} OFFSET 0" if self.computes_key else query

    def keyed(self, query: str, alias: str) -> str:
        """What stands behind FROM for the rows of such a query, without those that have no key."""
        return f"({self.apart(query)}) AS {alias} WHERE {self.not_null(alias)}"

    def order(self, alias: str) -> str:
        """ORDER BY items after the key: the winner's words, the driving key, and what else tells two rows apart.

        Without a driving key, rows are told apart by what they yield first: their place may change unseen.
        """
        items = [f"{alias}.lockgate_w{i}{word.direction}" for i, word in enumerate(self.winner)]
        identity = [f"{alias}.lockgate_d{i}" for i in range(len(self.driving_identity("x")))]
        shown = [f'({alias}.{column.sql})::text COLLATE pg_catalog."C"' for column in self.shown]
        if self.select.whole:
            # Something must be said; rows that agree in all that is shown are one.
            items += shown or [f"{alias}.{self.key[0].sql}"]
        elif not self.driving_key:
            items += [*shown, *identity]
        elif self.fan_out:
            items += [*identity, *shown]
        else:
            items += identity
        return ", ".join(items)

    def not_null(self, alias: str) -> str:
        """The condition that no key column is NULL: such a yield has no place in the target.

        Not IS NOT NULL, which is false for a row value that has a NULL in it.
        """
        return " AND ".join(f"{alias}.{column.sql} IS DISTINCT FROM NULL" for column in self.key)


def names(columns: Sequence[Column], alias: str = "") -> str:
    """List columns for SQL, over ``alias`` if there is one."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column.sql for column in columns)


def names_as_held(columns: Sequence[Column], alias: str) -> str:
    """The same of key columns that are yielded, under the collations of the target's."""
    return ", ".join(f"{alias}.{c.sql}{c.collate} AS {c.sql}" for c in columns)


def as_held(column: Column, value: str) -> str:
    """A value in the form that the column holds it in when it is assigned to it.

    A text too long for the column stays as it is, so that it equals nothing in there: a cast would cut it, where an
    assignment refuses it (and cuts but spaces). Neither does it fail for what only a domain refuses.
    """
    held = f"{value}::{column.held_type}"
    if column.length is not None:
        over = f"pg_catalog.rtrim(pg_catalog.substr({{}}, {column.length + 1}), ' ') <> ''"
        if column.plain_type.endswith("[]"):
            elements = f"pg_catalog.unnest({value}::text[]) AS lockgate_e (v)"
            too_long = f"EXISTS (SELECT FROM {elements} WHERE {over.format('lockgate_e.v')})"
        else:
            too_long = over.format(f"{value}::text")
        held = f"CASE WHEN {too_long} THEN {value}::{column.plain_type} ELSE {held} END"
    return f"({held}){column.collate}"


def equal(columns: Sequence[Column], left: str, right: str) -> str:
    """The condition that two rows agree in ``columns``, by each type's own equality."""
    return " AND ".join(f"{left}.{c.sql} {c.equals} {right}.{c.sql}" for c in columns)


def equal_as_held(columns: Sequence[Column], held: str, yielded: str) -> str:
    """The same, of a side that the target's columns are ``held`` in and one whose texts may have other collations."""
    return " AND ".join(f"{held}.{c.sql} {c.equals} {yielded}.{c.sql}{c.collate}" for c in columns)


def differ(columns: Sequence[Column], left: str, right: str) -> str:
    """The condition that two rows differ in the stored form of ``columns`` (1.0 and 1.00 do).

    Either may hold what the SELECT yields, of another type than the column: text for a varchar or a domain.
    """
    if not columns:
        return "false"
    sides = (", ".join(f"{side}.{c.sql}::{c.plain_type}" for c in columns) for side in (left, right))
    return "pg_catalog.record_image_ne(" + ", ".join(f"ROW({side})" for side in sides) + ")"
