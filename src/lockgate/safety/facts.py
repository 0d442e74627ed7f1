"""What a database is, as far as hazards depend on it: read once, and asked by the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lockgate.safety.records import SYSTEM, Column, Constraint, Function, Grants, Index, Relation, Trigger, Type, Use


class Columns(Mapping[int, tuple[Column, ...]]):
    """Oid of a relation -> its columns, by number.

    They are made when they are asked for: a text is about a few tables of many.
    """

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows: dict[int, list[tuple[Any, ...]]] = {}
        self._made: dict[int, tuple[Column, ...]] = {}
        for row in sorted(rows):  # each begins with its relation and its number
            self._rows.setdefault(row[0], []).append(row)

    def __getitem__(self, relation: int) -> tuple[Column, ...]:
        made = self._made.get(relation)
        if made is None:
            made = self._made[relation] = tuple(map(Column._make, self._rows[relation]))
        return made

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


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
        places = [schema] if schema else [SYSTEM, *self.search_path]
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
