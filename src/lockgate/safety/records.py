"""What the catalog holds, a record an object, as far as hazards depend on it.

Tuples, because a large database has some hundred thousand of them.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.sql.tree import quote

SYSTEM = "pg_catalog"
"""The server's own schema."""


class Column(NamedTuple):
    """A column of a relation.

    :param type_name: its type as SQL.
    :param type: the oid of that, and ``typmod`` what it says in parentheses, as the server keeps it; -1: nothing.
    :param collation: oid; 0 for a type without one.
    :param default: the default, or what the value is generated from, as SQL; None without.
    :param identity: ``a`` always, ``d`` by default, empty otherwise.
    :param generated: ``s`` stored, ``v`` virtual, empty otherwise.
    """

    relation: int
    number: int
    name: str
    type_name: str
    type: int
    typmod: int
    collation: int
    not_null: bool
    default: str | None
    identity: str
    generated: str


class Relation(NamedTuple):
    """A table, view, sequence or composite type.

    :param kind: as the catalog has it: ``r`` table, ``p`` partitioned, ``v`` view, ``m`` materialized view, ``f``
        foreign, ``S`` sequence, ``c`` composite type.
    :param rows: the server's estimate; below 0 if it never looked.
    :param bytes: of the table alone when the server last looked, 0 if it never did.
    :param partition: whether it is one; ``parent`` is then its table, or what it inherits from.
    :param bounds: of a partition, as SQL.
    :param partitioned_by: as SQL.
    :param default_partition: oid of the default partition.
    :param published: whether its updates or deletes are.
    :param replica_identity: ``d`` the primary key, ``i`` an index, ``f`` the whole row, ``n`` nothing.
    :param row_type: oid of the type of its rows.
    :param populated: False for a materialized view that holds nothing yet.
    """

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    owner: str
    rows: float
    bytes: int
    partition: bool
    parent: int | None
    bounds: str | None
    partitioned_by: str | None
    default_partition: int | None
    published: bool
    replica_identity: str
    row_security: bool
    row_security_for_owner: bool
    policies: int
    row_type: int
    populated: bool

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.schema}.{self.name}"


class Index(NamedTuple):
    """An index.

    :param keys: numbers of the columns, 0 for an expression; the first ``key_count`` are what it is sorted by.
    :param opclasses: a number for each of those, as are ``collations`` and ``options`` (descending, NULLs first).
    :param valid: whether it is complete and used.
    :param immediate: False for one of a deferrable constraint.
    :param of_partition: whether it is a part of a partitioned index.
    """

    oid: int
    schema: str
    name: str
    relation: int
    method: str
    unique: bool
    primary: bool
    valid: bool
    immediate: bool
    nulls_not_distinct: bool
    keys: tuple[int, ...]
    key_count: int
    opclasses: tuple[int, ...]
    collations: tuple[int, ...]
    options: tuple[int, ...]
    expressions: str | None
    predicate: str | None
    replica_identity: bool
    clustered: bool
    bytes: int
    of_partition: bool
    partitioned: bool

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def label(self) -> str:
        """The name for people."""
        return f"{self.schema}.{self.name}"

    @property
    def sorted_by(self) -> tuple[int, ...]:
        """The columns that it is sorted by, without those that it only holds."""
        return self.keys[: self.key_count]

    @property
    def identifies_rows(self) -> bool:
        """Whether no two rows have the same key: what a foreign key may refer to."""
        return self.unique and self.valid and self.immediate and self.predicate is None and self.expressions is None


class Constraint(NamedTuple):
    """A constraint of a table or of a domain.

    :param type: as the catalog has it: ``c`` check, ``p`` primary key, ``u`` unique, ``f`` foreign key, ``x``
        exclusion, ``n`` not null.
    :param relation: 0 for one of a domain; ``domain`` is 0 for one of a table.
    :param rests_on: oid of the index that it rests on; of a foreign key that of the table referred to.
    :param expression: of a check, as SQL; None for one that is validated and says nothing of NULL.
    """

    oid: int
    name: str
    type: str
    relation: int
    domain: int
    validated: bool
    enforced: bool
    columns: tuple[int, ...]
    referenced: int
    referenced_columns: tuple[int, ...]
    match_full: bool
    on_delete: str
    on_update: str
    rests_on: int
    expression: str | None
    parent: int


class Type(NamedTuple):
    """A type.

    :param kind: as the catalog has it: ``b`` base, ``d`` domain, ``e`` enum, ``r`` range, ``m`` multirange, ``c``
        composite, ``p`` pseudo.
    :param base: of a domain; 0 otherwise. ``element``: of an array; 0 otherwise. ``array``: of arrays of it.
    :param labels: of an enum, in order.
    """

    oid: int
    schema: str
    name: str
    kind: str
    category: str
    base: int
    typmod: int
    element: int
    array: int
    not_null: bool
    default: str | None
    collation: int
    labels: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name for people, without the server's own schema."""
        return self.name if self.schema == SYSTEM else f"{self.schema}.{self.name}"


class Function(NamedTuple):
    """A function or procedure.

    :param volatility: ``i``, ``s`` or ``v``.
    :param identity: its name with its arguments, as SQL; empty for one of the server.
    :param body: its text, where it is kept as one.
    """

    oid: int
    schema: str
    name: str
    kind: str
    volatility: str
    language: str
    arguments: int
    defaults: int
    variadic: bool
    identity: str
    body: str | None
    argument_types: tuple[int, ...]

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        most = count if self.variadic else self.arguments
        return self.arguments - self.defaults - self.variadic <= count <= most


class Use(NamedTuple):
    """Something that uses a table, a column of it, or a function, as the catalog knows.

    :param kind: ``view``, ``policy``, ``trigger``, ``function``, ``index``, ``default value``, ...
    :param name: as SQL writes it.
    :param home: oid of the relation that it is on, or of the view itself; 0 if none.
    :param relation: what is used; ``column`` is 0 where the whole is. Both are 0 where ``function`` is used.
    """

    kind: str
    name: str
    home: int
    relation: int
    column: int
    function: int


class Trigger(NamedTuple):
    """A trigger of the application."""

    relation: int
    name: str
    function: int
    enabled: str


class Grants(NamedTuple):
    """What others than the owner may do with a view; ``statements`` grant it again."""

    relation: int
    grantees: tuple[str, ...]
    statements: tuple[str, ...]
