"""Which table there stands for which table here, and in what form each column goes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Leaf, Relation
from lockgate.errors import PlanError
from lockgate.plan.models import CopyStep, split_name
from lockgate.sql.tree import quote
from lockgate.suggest import did_you_mean

T = TypeVar("T")
Place = Callable[..., str]
"""``file:line:column`` of a part of the step, by its path."""

_BUILT_IN = 16_384  # oids from here on are not the same in two databases
_TEXTS = {25, 1043}  # text, varchar
_PADDED = 1042  # char(n)
# Types whose binary form is the same in all versions; those of their arrays, too.
_BINARY = b"""
SELECT oid::bigint FROM pg_catalog.pg_type
WHERE typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND pg_catalog.ltrim(typname, '_') = ANY (ARRAY[
    'bool', 'bytea', 'char', 'name', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'varchar', 'bpchar',
    'uuid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'json', 'jsonb', 'inet', 'cidr',
    'macaddr'])
"""
_ENCODING = b"SELECT pg_catalog.current_setting('server_encoding')"


@dataclass(frozen=True, slots=True)
class Held:
    """A column that is copied.

    :param column: of the table here.
    :param theirs: quoted name there; ``their_type`` is its type, in words of SQL.
    :param cast: the type that a value is brought to there, as an assignment here would; empty: it goes as it is.
    :param native: whether both sides hash it by the type's own hash; by its text otherwise.
    :param binary: whether it has the same binary form on both sides.
    """

    column: Column
    theirs: str
    their_type: str
    cast: str
    native: bool
    binary: bool

    def there(self, alias: str) -> str:
        """The value there, in the form that it has here."""
        value = f"{alias}.{self.theirs}"
        return f"({value})::{self.cast}" if self.cast else value

    def here(self, alias: str) -> str:
        """The value here."""
        return f"{alias}.{self.column.sql}"

    def item(self, value: str, *, convert: bool) -> str:
        """What of a value is hashed. :param convert: whether both databases hold texts in other bytes."""
        if self.native and self.column.base_type_oid not in _TEXTS:
            return value
        if self.native:
            return f"pg_catalog.convert_to(({value})::text, 'UTF8')" if convert else f'({value}) COLLATE pg_catalog."C"'
        shown = f"({value})::text" if self.column.base_type_oid == _PADDED else value
        text = f"pg_catalog.format('%L', {shown})"
        return f"pg_catalog.convert_to({text}, 'UTF8')" if convert else f'{text} COLLATE pg_catalog."C"'


@dataclass(frozen=True, slots=True)
class Pair:
    """A table here and what stands for it there.

    :param number: its place in the step, from 0.
    :param theirs: what stands behind FROM there, without an alias: a table's name, or a SELECT in parentheses.
    :param label: the name there, for people.
    :param there: the table there; None for a SELECT.
    :param leaves: the tables there that hold its rows; none where it must be read as a whole.
    :param where: the condition on its rows as ``s``; empty for all.
    :param unique: those of the key that a unique index here is on: all, or some that tell rows apart already, such as
        ``id`` where the other database has partitions by a time, and so a longer key.
    :param convert: whether texts have other bytes there.
    """

    number: int
    table: Relation
    theirs: str
    label: str
    there: Relation | None
    leaves: tuple[Leaf, ...]
    where: str
    columns: tuple[Held, ...]
    key: tuple[Held, ...]
    unique: tuple[Held, ...]
    convert: bool

    @property
    def here(self) -> str:
        """What stands behind FROM here, without an alias."""
        return self.table.sql if self.table.kind == "p" else f"ONLY {self.table.sql}"

    @property
    def binary(self) -> bool:
        """Whether rows can go over in the binary form."""
        return all(held.binary for held in self.columns)

    def query(self, source: str | None = None, conditions: Sequence[str] = ()) -> str:
        """The rows there as they are to be here.

        :param source: what stands behind FROM instead, with alias ``s``.
        """
        outputs = ", ".join(f"{held.there('s')} AS {held.column.sql}" for held in self.columns)
        asked = [condition for condition in (*conditions, f"({self.where})" if self.where else "") if condition]
        where = f" WHERE {' AND '.join(asked)}" if asked else ""
        return f"SELECT {outputs} FROM {source or f'{self.theirs} AS s'}{where}"


def pair(here: Connection[Any], there: Connection[Any], step: CopyStep, place: Place) -> list[Pair]:
    """What a step copies, checked against both databases; the order is the step's.

    :raises PlanError: if a table, a column or a key is missing, or a column would be left behind unseen.
    """
    convert = _one(here, _ENCODING) != _one(there, _ENCODING)
    binary = {int(row[0]) for row in here.execute(_BINARY)}
    found: list[Pair] = []
    for number, name in enumerate(step.tables):
        where = place("tables", number)
        table = catalog.named(here, name, where)
        if table.kind not in {"r", "p"}:
            raise PlanError(f"{table.label} is no table", where=where, hint="Name the table behind it.")
        if any(other.table.oid == table.oid for other in found):
            raise PlanError(f"{table.label} is named twice", where=where)
        found.append(_pair(there, step, number, table, convert, binary, where))
    return found


def _pair(
    there: Connection[Any], step: CopyStep, number: int, table: Relation, convert: bool, binary: set[int], where: str
) -> Pair:
    name = (table.schema, table.name)
    select = _said(step.select, name)
    condition = _said(step.where, name) or ""
    relation: Relation | None = None
    leaves: tuple[Leaf, ...] = ()
    if select is not None:
        theirs, label = f"({select.strip().rstrip(';')}\n)", f"the SELECT for {table.label}"
    else:
        relation = catalog.named(there, _said(step.named, name) or table.sql, where)
        theirs, label = relation.sql, relation.label
        leaves = relation.leaves if all(leaf.kind in {"r", "m"} for leaf in relation.leaves) else ()
    known = _columns(there, theirs)
    wanted = _said(step.columns, name)
    names = _wanted(table, known, [_plain(column) for column in wanted] if wanted else None, label, where)
    columns = tuple(_held(table, column, *known[column], binary) for column in names)
    key = tuple(_plain(column) for column in _said(step.key, name) or ()) or table.primary_key
    held, unique = _key(table, columns, key, where)
    return Pair(number, table, theirs, label, relation, leaves, condition, columns, held, unique, convert)


def _columns(there: Connection[Any], theirs: str) -> dict[str, tuple[int, str]]:
    """Name of each output there -> oid of its type (of a domain, that below it), and the type in words."""
    described = there.execute(f"SELECT * FROM {theirs} AS s LIMIT 0".encode()).description or []
    oids = [column.type_code for column in described]
    types = there.execute(
        "SELECT pg_catalog.format_type(t, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS o (t, n) ORDER BY n", (oids,)
    ).fetchall()
    return {column.name: (column.type_code, row[0]) for column, row in zip(described, types, strict=True)}


def _wanted(
    table: Relation, known: dict[str, tuple[int, str]], wanted: list[str] | None, label: str, where: str
) -> list[str]:
    """The columns to copy. :raises PlanError: if one is missing on a side, or would be forgotten."""
    own = {column.name: column for column in table.columns}
    for name in wanted if wanted is not None else known:
        if name not in known:
            raise PlanError(f"{label} has no column {name}{did_you_mean(name, known)}", where=where)
        if name not in own:
            raise PlanError(
                f"{table.label} has no column {name}, which {label} has",
                where=where,
                why="What it holds would be left behind.",
                hint="Say which columns are to be copied (`columns`), give it another name by a `select`, or add it.",
            )
        if wanted is not None and own[name].generated:
            raise PlanError(f"Column {name} of {table.label} is generated: nothing can be put into it", where=where)
    names = [column.name for column in table.columns if column.name in (wanted or known) and not column.generated]
    for column in table.columns:
        filled = column.generated or column.has_default or column.identity or not column.not_null
        if column.name not in names and not filled:
            raise PlanError(
                f"{label} yields nothing for column {column.name} of {table.label}, which may not be NULL",
                where=where,
                hint="Give the column a default, or write a `select` that yields it.",
            )
    return names


def _held(table: Relation, name: str, their_oid: int, their_type: str, binary: set[int]) -> Held:
    column = table.column(name)
    assert column is not None
    oid = column.base_type_oid
    cast = ""
    if oid < _BUILT_IN:
        # Not to a length: what is too long is refused here, where a cast there would cut it.
        wanted = column.plain_type if column.length is not None else column.held_type
        cast = wanted if their_oid != oid or column.held_type != column.plain_type else ""
        cast = "" if column.length is not None and their_oid == oid else cast
    native = column.exact_hash and oid < _BUILT_IN
    return Held(
        column=column,
        theirs=quote(name),
        their_type=their_type,
        cast=cast,
        native=native,
        binary=oid in binary and column.type_oid == oid,
    )


def _key(
    table: Relation, columns: Sequence[Held], names: tuple[str, ...], where: str
) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """The key, and what of it a unique index is on.

    :raises PlanError: if they do not tell a row from every other one.
    """
    if not names:
        raise PlanError(
            f"{table.label} has no primary key",
            where=where,
            why="Without a key nobody can tell which row here is which row there.",
            hint="Name columns that a unique index is on, and that are never NULL, by `key`.",
        )
    by_name = {held.column.name: held for held in columns}
    for name in names:
        if name not in by_name:
            raise PlanError(f"Column {name} of the key of {table.label} is not copied", where=where)
    unique = [index.columns for index in table.indexes if set(index.columns) <= set(names)]
    unique = [columns for columns in unique if any(index.identifies(columns) for index in table.indexes)]
    if not unique:
        raise PlanError(
            f"No unique index of {table.label} is on {', '.join(names)}, or on some of them alone",
            where=where,
            hint="Make one that is neither partial nor deferrable, or name other columns.",
        )
    loose = [name for name in names if not by_name[name].column.not_null]
    if loose:
        raise PlanError(f"Column {loose[0]} of the key of {table.label} may be NULL", where=where)
    return tuple(by_name[name] for name in names), tuple(by_name[name] for name in max(unique, key=len))


def _said(said: dict[str, T], name: tuple[str, str]) -> T | None:
    return next((value for key, value in said.items() if split_name(key) == name), None)


def _plain(name: str) -> str:
    parts = split_name(name)
    assert parts is not None, "the plan's model lets no other name through"
    return parts[0]


def _one(conn: Connection[Any], query: bytes) -> Any:
    row = conn.execute(query).fetchone()
    return row[0] if row else None
