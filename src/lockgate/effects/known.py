"""What must be known of a database to tell a statement's effects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from lockgate.effects.model import Mode


class Column(NamedTuple):
    """A column of a relation.

    :param type: oid.
    :param typmod: -1 for none.
    :param default: whether it has a default other than NULL; a generated column has none.
    """

    number: int
    name: str
    type: int
    typmod: int
    collation: int
    not_null: bool
    generated: str
    default: bool


class Index(NamedTuple):
    """An index.

    :param sql: quoted name with its schema.
    :param columns: key columns, in order; 0 stands for an expression.
    :param opclasses: of the key columns.
    :param uses: all columns that it is made of, those in expressions and in its condition too.
    :param plain: whether it has neither expressions nor a condition.
    :param part: whether it is a part of the index of a partitioned table.
    """

    oid: int
    sql: str
    name: str
    method: int
    unique: bool
    primary: bool
    exclusion: bool
    columns: tuple[int, ...]
    opclasses: tuple[int, ...]
    uses: frozenset[int]
    plain: bool
    part: bool


class Constraint(NamedTuple):
    """A check, a foreign key, or (from PostgreSQL 18 on) a NOT NULL constraint.

    :param kind: ``c``, ``f``, or ``n``.
    :param table: oid of the table that has it.
    :param into: oid of the table that a foreign key refers to; 0 for a check.
    :param into_columns: the columns there.
    :param inherited: whether it is a part of the one of a parent table.
    :param on_delete: as ``pg_constraint.confdeltype`` says it: ``c`` for CASCADE, ``n`` and ``d`` for SET.
    :param expression: of a check.
    """

    name: str
    kind: str
    table: int
    columns: tuple[int, ...]
    into: int
    into_columns: tuple[int, ...]
    validated: bool
    inherited: bool
    on_delete: str
    on_update: str
    expression: str


class OwnedSequence(NamedTuple):
    """A sequence that belongs to a column."""

    sql: str
    column: int
    identity: bool


class Relation(NamedTuple):
    """A table, partitioned table, view, materialized view, index or sequence.

    :param sql: quoted name with its schema.
    :param kind: ``pg_class.relkind``; empty for one that was not looked up, or is not there.
    :param parents: oids of the tables that it inherits from, or is a partition of.
    :param children: oids of its direct children.
    :param default: oid of its DEFAULT partition; 0 for none.
    :param key: columns of its partition key, by number; 0 stands for an expression.
    :param strategy: of its partition key: ``r``, ``l``, ``h``.
    :param reads: oids of the relations that a view reads.
    :param table: oid of the table of an index.
    :param row_triggers: names of its triggers FOR EACH ROW, which its partitions have too.
    """

    oid: int
    sql: str
    kind: str = ""
    persistence: str = "p"
    method: str = "heap"
    partition: bool = False
    default_partition: bool = False
    parents: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    default: int = 0
    key: tuple[int, ...] = ()
    strategy: str = ""
    reads: tuple[int, ...] = ()
    table: int = 0
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    referrers: tuple[Constraint, ...] = ()
    sequences: tuple[OwnedSequence, ...] = ()
    row_triggers: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)

    def index_named(self, name: str) -> Index | None:
        """The index of that name."""
        return next((index for index in self.indexes if index.name == name), None)

    @property
    def foreign_keys(self) -> list[Constraint]:
        """Those that it has."""
        return [constraint for constraint in self.constraints if constraint.kind == "f"]


class Type(NamedTuple):
    """A type.

    :param oid: of itself, or of what a domain is made of.
    :param typmod: that is asked for, by name or by the domain.
    :param domain: whether it is one.
    :param constrained: whether it is a domain with a constraint.
    :param element: of an array; 0 for other types.
    """

    oid: int
    name: str
    typmod: int
    collation: int
    domain: bool
    constrained: bool
    element: int


class Catalog(Protocol):
    """What is asked of a database."""

    def find(self, schema: str, name: str) -> Relation | None:
        """The relation of that name; without a schema, as the search path has it. None if there is none."""

    def relation(self, oid: int) -> Relation:
        """The relation with that oid."""

    def relations_of_schema(self, schema: str) -> list[Relation]:
        """All relations of a schema."""

    def type(self, text: str) -> Type | None:
        """The type that is written so in SQL; None if there is none."""

    def type_of(self, column: Column) -> Type:
        """The type of a column."""

    def cast(self, source: int, target: int) -> str:
        """How one type becomes another without anybody's help: ``b`` by nothing at all, ``f``, ``i``, or ``""``."""

    def operator_class(self, type_: int, method: int) -> int:
        """The default operator class of a type for an index method; 0 if there is none."""

    def collation(self, names: Sequence[str]) -> int:
        """The oid of a collation, named with its schema or without; 0 if there is none."""

    def volatile(self, functions: Collection[tuple[str, int]]) -> list[str]:
        """Which of these functions (name with its schema if said, number of arguments) may be volatile."""

    def dropped(self, objects: Sequence[tuple[str, Any]]) -> dict[str, Mode]:
        """The relations locked when objects are dropped with all that depends on them.

        :param objects: what kind, and how it is named: ``("relation", oid)``, ``("column", (oid, number))``,
            ``("constraint", (oid, name))``, ``("trigger", (oid, name))``, ``("policy", (oid, name))``,
            ``("rule", (oid, name))``, ``("type", text)``, ``("function", text)``, ``("schema", name)``,
            ``("extension", name)``, ``("statistics", (schema, name))``.
        """

    def users_of_type(self, text: str) -> list[Relation]:
        """The tables with a column of that type, or of one made of it."""

    @property
    def utc(self) -> bool:
        """Whether the session's time zone is UTC, by whatever name."""
