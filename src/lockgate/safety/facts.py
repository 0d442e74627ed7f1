"""What a database is, as far as hazards depend on it: read once, and asked by the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lockgate.sql.tree import quote

VOLATILE = "v"
_SYSTEM = "pg_catalog"


@dataclass(frozen=True, slots=True)
class Column:
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


@dataclass(frozen=True, slots=True)
class Relation:
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


@dataclass(frozen=True, slots=True)
class Index:
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


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table or of a domain.

    :param type: as the catalog has it: ``c`` check, ``p`` primary key, ``u`` unique, ``f`` foreign key, ``x``
        exclusion, ``n`` not null.
    :param relation: 0 for one of a domain; ``domain`` is 0 for one of a table.
    :param index: oid of the index that it rests on; of a foreign key that of the table referred to.
    :param expression: of a check, as SQL.
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
    index: int
    expression: str | None
    parent: int


@dataclass(frozen=True, slots=True)
class Type:
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
        return self.name if self.schema == _SYSTEM else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Function:
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


@dataclass(frozen=True, slots=True)
class Use:
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


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of the application."""

    relation: int
    name: str
    function: int
    enabled: str


@dataclass(frozen=True, slots=True)
class Grants:
    """What others than the owner may do with a view; ``statements`` grant it again."""

    relation: int
    grantees: tuple[str, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """A database at one moment.

    :param version: of the server, as a number: 150004.
    :param utc: whether the time zone of the database and role is UTC, in which some type changes cost less.
    :param search_path: the schemas in which a name without one is looked for, in order.
    :param equals: pairs of types that the index of a key compares with each other.
    :param default_opclasses: access method and type -> the operator class that need not be named.
    """

    version: int
    utc: bool
    search_path: tuple[str, ...]
    relations: Mapping[int, Relation]
    columns: Mapping[int, tuple[Column, ...]]
    indexes: Mapping[int, Index]
    constraints: tuple[Constraint, ...]
    types: Mapping[int, Type]
    casts: Mapping[tuple[int, int], tuple[str, str]]
    equals: frozenset[tuple[int, int]]
    functions: Mapping[int, Function]
    uses: tuple[Use, ...]
    triggers: tuple[Trigger, ...]
    grants: Mapping[int, Grants]
    extensions: frozenset[str]
    default_opclasses: Mapping[tuple[str, int], int]

    # --- finding ------------------------------------------------------------------------------------------------

    def relation(self, schema: str, name: str) -> Relation | None:
        """Find a relation; without a schema along the search_path."""
        places = [schema] if schema else self.search_path
        return next((found for place in places if (found := self._relations.get((place, name)))), None)

    def index(self, schema: str, name: str) -> Index | None:
        """Find an index; without a schema along the search_path."""
        places = [schema] if schema else self.search_path
        return next((found for place in places if (found := self._index_names.get((place, name)))), None)

    def column(self, relation: int, name: str) -> Column | None:
        """Find a column by its name."""
        return next((column for column in self.columns.get(relation, ()) if column.name == name), None)

    def numbered(self, relation: int, number: int) -> Column | None:
        """Find a column by its number."""
        return next((column for column in self.columns.get(relation, ()) if column.number == number), None)

    def names_of(self, relation: int, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """The names of columns; what is no column is left out."""
        return tuple(column.name for number in numbers if (column := self.numbered(relation, number)))

    def indexes_of(self, relation: int) -> tuple[Index, ...]:
        """The indexes of a relation, by name."""
        return tuple(self._indexes.get(relation, ()))

    def constraints_of(self, relation: int) -> tuple[Constraint, ...]:
        """The constraints of a relation, by name."""
        return tuple(self._constraints.get(relation, ()))

    def references_to(self, relation: int) -> tuple[Constraint, ...]:
        """The foreign keys that refer to a relation, without the copies that partitions have."""
        return tuple(self._references.get(relation, ()))

    def constraints_of_domain(self, domain: int) -> tuple[Constraint, ...]:
        """The constraints of a domain itself."""
        return tuple(constraint for constraint in self.constraints if constraint.domain == domain)

    def functions_named(self, schema: str, name: str) -> tuple[Function, ...]:
        """Functions of a name; without a schema along the search_path, the server's own first."""
        places = [schema] if schema else [_SYSTEM, *self.search_path]
        return tuple(found for place in places for found in self._functions.get((place, name), ()))

    def uses_of(self, relation: int, column: int | None = None) -> tuple[Use, ...]:
        """What uses a relation; with a column what uses that."""
        found = self._uses.get(relation, ())
        return tuple(use for use in found if column is None or use.column == column)

    def uses_of_function(self, function: int) -> tuple[Use, ...]:
        """What calls a function, as far as the catalog knows."""
        return tuple(use for use in self.uses if use.function == function)

    def partitions_of(self, relation: int) -> Iterator[Relation]:
        """The partitions right below a table."""
        return (part for part in self._children.get(relation, ()) if part.partition)

    def family(self, relation: Relation) -> Iterator[Relation]:
        """A relation and all below it."""
        yield relation
        for child in self._children.get(relation.oid, ()):
            yield from self.family(child)

    def primary_key(self, relation: int) -> Index | None:
        """The index of the primary key."""
        return next((index for index in self.indexes_of(relation) if index.primary), None)

    def domain_constrained(self, oid: int) -> bool:
        """Whether a type is a domain that refuses some values of its base, or rests on one that does."""
        found = self.types.get(oid)
        if found is None or found.kind != "d":
            return False
        return found.not_null or bool(self.constraints_of_domain(oid)) or self.domain_constrained(found.base)

    def base_type(self, oid: int) -> int:
        """A type without the domains around it."""
        found = self.types.get(oid)
        return self.base_type(found.base) if found and found.kind == "d" else oid

    def rows_of(self, relation: Relation) -> float | None:
        """How many rows it and all below it hold, by estimate; None where the server never looked."""
        parts = [part.rows for part in self.family(relation) if part.kind in {"r", "m", "f"}]
        return sum(parts) if parts and min(parts) >= 0 else None

    def bytes_of(self, relation: Relation) -> int:
        """How large it and all below it are, when the server last looked."""
        return sum(part.bytes for part in self.family(relation))

    # --- by what they are found -----------------------------------------------------------------------------------

    @cached_property
    def _relations(self) -> Mapping[tuple[str, str], Relation]:
        return {(relation.schema, relation.name): relation for relation in self.relations.values()}

    @cached_property
    def _index_names(self) -> Mapping[tuple[str, str], Index]:
        return {(index.schema, index.name): index for index in self.indexes.values()}

    @cached_property
    def _indexes(self) -> Mapping[int, list[Index]]:
        found: dict[int, list[Index]] = defaultdict(list)
        for index in self.indexes.values():
            found[index.relation].append(index)
        return found

    @cached_property
    def _constraints(self) -> Mapping[int, list[Constraint]]:
        found: dict[int, list[Constraint]] = defaultdict(list)
        for constraint in self.constraints:
            found[constraint.relation].append(constraint)
        return found

    @cached_property
    def _references(self) -> Mapping[int, list[Constraint]]:
        found: dict[int, list[Constraint]] = defaultdict(list)
        for constraint in self.constraints:
            if constraint.type == "f" and not constraint.parent:
                found[constraint.referenced].append(constraint)
        return found

    @cached_property
    def _functions(self) -> Mapping[tuple[str, str], list[Function]]:
        found: dict[tuple[str, str], list[Function]] = defaultdict(list)
        for function in self.functions.values():
            found[function.schema, function.name].append(function)
        return found

    @cached_property
    def _uses(self) -> Mapping[int, list[Use]]:
        found: dict[int, list[Use]] = defaultdict(list)
        for use in self.uses:
            if use.relation:
                found[use.relation].append(use)
        return found

    @cached_property
    def _children(self) -> Mapping[int, list[Relation]]:
        found: dict[int, list[Relation]] = defaultdict(list)
        for relation in self.relations.values():
            if relation.parent:
                found[relation.parent].append(relation)
        return found
