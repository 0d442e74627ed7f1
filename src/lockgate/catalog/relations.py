"""What a relation is: columns, keys, indexes, triggers and partitions, read once from the catalog."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.errors import PlanError
from lockgate.sql.tree import quote
from lockgate.suggest import nearest

_FIRST_MADE = 16384
"""The first oid of what was not there when the server was set up (FirstNormalObjectId)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    :param plain_type: the type without a domain's constraints and without length, for copies of a value.
    :param held_type: the type without a domain's constraints, with its precision, and without the length of bits.
    :param length: how many characters it holds at most, or each element of an array; None: any number.
    :param equals: the operator that compares two values, qualified where the type is an extension's.
    :param exact_hash: whether the type's own hash sees every difference of the stored value.
    :param hashable: whether the type has a hash of its own, equal for equal values.
    :param deterministic: whether texts of its collation are equal only if they are the same.
    :param collation: the quoted name of its collation; empty for a type without one.
    :param generated: ``s`` stored, ``v`` virtual, empty otherwise; ``inputs`` are the numbers of its columns.
    """

    number: int
    name: str
    type: str
    plain_type: str
    held_type: str
    length: int | None
    type_oid: int
    base_type_oid: int
    not_null: bool
    generated: str
    identity: str
    has_default: bool
    expression: str | None
    inputs: tuple[int, ...]
    equals: str
    exact_hash: bool
    hashable: bool
    deterministic: bool
    collation: str

    @property
    def sql(self) -> str:
        """The quoted name."""
        return quote(self.name)

    @property
    def collate(self) -> str:
        """The COLLATE clause of its collation; empty for a type without one."""
        return f" COLLATE {self.collation}" if self.collation else ""


@dataclass(frozen=True, slots=True)
class Index:
    """An index, with the names of its key columns (expressions are left out and said)."""

    name: str
    is_unique: bool
    is_primary: bool
    is_valid: bool
    is_immediate: bool
    is_partial: bool
    on_expressions: bool
    columns: tuple[str, ...]

    def identifies(self, columns: tuple[str, ...]) -> bool:
        """Whether it makes exactly these columns unique, for every row and at once."""
        plain = self.is_unique and self.is_valid and self.is_immediate and not self.is_partial
        return plain and not self.on_expressions and set(self.columns) == set(columns)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that holds rows: the relation itself, or one of its partitions."""

    oid: int
    schema: str
    name: str
    kind: str

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quote(self.schema)}.{quote(self.name)}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that is not Lockgate's own."""

    name: str
    enabled: str
    function: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of the database."""

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    row_security: bool
    inherited: bool
    owner: str
    estimated_rows: float
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    triggers: tuple[Trigger, ...]
    leaves: tuple[Leaf, ...]

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def label(self) -> str:
        """The name for people: schema.table."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """Find a column by its name."""
        return next((column for column in self.columns if column.name == name), None)

    def by_number(self, number: int) -> Column:
        """Find a column by its catalog number."""
        return next(column for column in self.columns if column.number == number)

    def present(self, numbers: Collection[int]) -> list[Column]:
        """The columns of these catalog numbers that are still there."""
        return [column for column in self.columns if column.number in numbers]

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the primary key's columns; empty without one."""
        return next((index.columns for index in self.indexes if index.is_primary), ())


def _rows(conn: Connection[Any], name: str, **values: Any) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sqlfiles.load("lockgate.catalog", name), values).fetchall()


def _columns(conn: Connection[Any], oid: int) -> tuple[Column, ...]:
    rows = _rows(conn, "columns", oid=oid)
    # Most tables have none of these, and the server would take longer to plan the question than to answer all others.
    others = [row["base_type_oid"] for row in rows if row["base_type_oid"] >= _FIRST_MADE]
    found = _rows(conn, "equalities", types=others) if others else []
    equals = {row["type_oid"]: row["equals"] for row in found}
    return tuple(
        Column(**row | {"inputs": tuple(row["inputs"]), "equals": equals.get(row["base_type_oid"], "=")})
        for row in rows
    )


def read(conn: Connection[Any], oid: int) -> Relation:
    """Read a relation by its oid.

    :raises PlanError: if it was dropped.
    """
    heads = _rows(conn, "relations", oid=oid)
    if not heads:
        raise PlanError(f"the table of oid {oid} was dropped", hint="take back the mappings that read or fill it")
    return Relation(
        **heads[0],
        columns=_columns(conn, oid),
        indexes=tuple(Index(**{**row, "columns": tuple(row["columns"])}) for row in _rows(conn, "indexes", oid=oid)),
        triggers=tuple(Trigger(**row) for row in _rows(conn, "triggers", oid=oid)),
        leaves=leaves(conn, oid),
    )


class Reader:
    """Reads relations, each once: mappings that are looked at together read and fill the same ones."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self._known: dict[int, Relation] = {}

    def read(self, oid: int) -> Relation:
        """:func:`read`, as of the first time."""
        if oid not in self._known:
            self._known[oid] = read(self._conn, oid)
        return self._known[oid]

    def find(self, schema: str, name: str, where: str) -> Relation:
        """The relation of a name.

        :raises PlanError: if there is none; with the nearest known name.
        """
        oid = find(self._conn, schema, name)
        if oid is None:
            raise unknown(self._conn, schema, name, where)
        return self.read(oid)

    def named(self, name: str, where: str) -> Relation:
        """Find ``schema.table`` as a plan writes it.

        :raises PlanError: if there is none; with the nearest known name.
        """
        return self.find(*_parts(self._conn, name, where), where)


def leaves(conn: Connection[Any], oid: int) -> tuple[Leaf, ...]:
    """The tables that hold the rows of a relation now: itself, or its partitions."""
    return tuple(Leaf(**row) for row in _rows(conn, "leaves", oid=oid))


def find(conn: Connection[Any], schema: str, name: str) -> int | None:
    """Return the oid of a relation, None if it does not exist."""
    row = conn.execute(
        "SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        (schema, name),
    ).fetchone()
    return int(row[0]) if row else None


def named(conn: Connection[Any], name: str, where: str) -> Relation:
    """Find ``schema.table`` as a plan writes it.

    :raises PlanError: if there is none; with the nearest known name.
    """
    return Reader(conn).named(name, where)


def _parts(conn: Connection[Any], name: str, where: str) -> tuple[str, str]:
    parts = conn.execute("SELECT pg_catalog.parse_ident(%s, true)", (name,)).fetchone()
    names = parts[0] if parts else []
    if len(names) != 2:
        raise PlanError(f'"{name}" is not a table with its schema', where=where, hint="write schema.table")
    return names[0], names[1]


def unknown(conn: Connection[Any], schema: str, name: str, where: str) -> PlanError:
    """Say that a relation does not exist, with the nearest known name."""
    known = [
        row[0]
        for row in conn.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'lockgate')"
        )
    ]
    near = nearest(f"{schema}.{name}", known)
    hint = f"did you mean {near}?" if near else "create it in an earlier step, or correct the name"
    return PlanError(f'there is no table "{schema}.{name}"', where=where, hint=hint)
