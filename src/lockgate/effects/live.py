"""The catalog of a database, read as it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.effects.known import Column, Constraint, Index, OwnedSequence, Relation, Type
from lockgate.effects.model import Mode
from lockgate.sql.tree import quote
from lockgate.sqlfiles import load

PACKAGE = __name__.rpartition(".")[0]


class LiveCatalog:
    """A ``Catalog`` that asks a connection, and keeps the answers: make a new one when the database has changed.

    It reads system catalogs only. The connection must not be used by others at the same time.
    """

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self._relations: dict[int, Relation] = {}

    def find(self, schema: str, name: str) -> Relation | None:
        """See ``Catalog``."""
        written = ".".join(quote(part) for part in (schema, name) if part)
        (row,) = self._ask("find", [written])
        return self.relation(row["oid"]) if row["oid"] else None

    def relation(self, oid: int) -> Relation:
        """See ``Catalog``."""
        if oid not in self._relations:
            self._relations[oid] = self._read(oid)
        return self._relations[oid]

    def relations_of_schema(self, schema: str) -> list[Relation]:
        """See ``Catalog``."""
        return [self.relation(row["oid"]) for row in self._ask("of_schema", [schema])]

    def type(self, text: str) -> Type | None:
        """See ``Catalog``. The text must come from the parser."""
        (row,) = self._ask("regtype", [text])
        if not row["oid"]:
            return None
        found = self._type(row["oid"])
        asked = self._conn.execute(sql.SQL("SELECT NULL::{}").format(sql.SQL(text)))
        written = asked.pgresult.fmod(0) if asked.pgresult and not found.domain else found.typmod
        return Type(found.oid, found.name, written, found.collation, found.domain, found.constrained, found.element)

    def type_of(self, column: Column) -> Type:
        """See ``Catalog``."""
        found = self._type(column.type)
        typmod = found.typmod if found.domain else column.typmod
        return Type(found.oid, found.name, typmod, column.collation, found.domain, found.constrained, found.element)

    def cast(self, source: int, target: int) -> str:
        """See ``Catalog``."""
        return next((str(row["method"]) for row in self._ask("cast", [source, target])), "")

    def operator_class(self, type_: int, method: int) -> int:
        """See ``Catalog``."""
        return next((int(row["oid"]) for row in self._ask("operator_class", {"type": type_, "method": method})), 0)

    def collation(self, names: Sequence[str]) -> int:
        """See ``Catalog``."""
        (row,) = self._ask("collation", [".".join(quote(name) for name in names)])
        return int(row["oid"])

    def volatile(self, functions: Collection[tuple[str, int]]) -> list[str]:
        """See ``Catalog``."""
        asked = list(functions)
        rows = self._ask("volatile", [[name for name, _ in asked], [count for _, count in asked]])
        return sorted(row["name"] for row in rows)

    def dropped(self, objects: Sequence[tuple[str, Any]]) -> dict[str, Mode]:
        """See ``Catalog``."""
        found = [place for kind, named in objects for place in self._object(kind, named)]
        columns = [list(part) for part in zip(*found, strict=True)] or [[], [], []]
        locks: dict[str, Mode] = {}
        for row in sorted(self._ask("dropped", columns), key=lambda row: not row["weak"]):
            mode = Mode.SHARE_UPDATE_EXCLUSIVE if row["weak"] else Mode.ACCESS_EXCLUSIVE
            locks[_written(row)] = mode
        return locks

    def users_of_type(self, text: str) -> list[Relation]:
        """See ``Catalog``."""
        return [self.relation(row["oid"]) for row in self._ask("users_of_type", [text])]

    @cached_property
    def utc(self) -> bool:
        """See ``Catalog``."""
        (row,) = self._ask("utc", [])
        return bool(row["utc"])

    def _object(self, kind: str, named: Any) -> list[tuple[int, int, int]]:
        """An object as ``pg_depend`` knows it; empty if it is not there."""
        if kind in {"relation", "column"}:
            oid, number = (named, 0) if kind == "relation" else named
            return [(_PG_CLASS, oid, number)]
        arguments: Any = [named]
        query = f"root_{kind}"
        if kind in {"constraint", "trigger", "policy", "rule"}:
            query, arguments = f"part_{kind}", list(named)
        elif kind == "function":
            arguments = {"text": named}
        elif kind == "statistics":
            arguments = {"schema": named[0], "name": named[1]}
        return [(row["class"], row["object"], 0) for row in self._ask(query, arguments) if row["object"]]

    def _read(self, oid: int) -> Relation:
        (row,) = self._ask("relation", [oid])
        constraints = [Constraint(**_tuples(found)) for found in self._ask("constraints", {"oid": oid})]
        sequences = self._ask("sequences", [oid])
        return Relation(
            **_named(_tuples(row)),
            columns=tuple(Column(**found) for found in self._ask("columns", [oid])),
            indexes=tuple(_index(found) for found in self._ask("indexes", [oid])),
            constraints=tuple(found for found in constraints if found.table == oid),
            referrers=tuple(found for found in constraints if found.into == oid),
            sequences=tuple(OwnedSequence(**_named(found)) for found in sequences),
        )

    def _type(self, oid: int) -> Type:
        (row,) = self._ask("type", [oid])
        return Type(**row)

    def _ask(self, query: str, arguments: Any) -> list[dict[str, Any]]:
        with self._conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(load(PACKAGE, f"catalog.{query}"), arguments).fetchall()


_PG_CLASS = 1259  # the oid of pg_class is the same everywhere


def _written(row: dict[str, Any]) -> str:
    return f"{quote(row['schema'])}.{quote(row['name'])}"


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the quoted name in the place of its two parts."""
    others = {key: value for key, value in row.items() if key not in {"schema", "name"}}
    return {**others, "sql": _written(row)}


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _index(row: dict[str, Any]) -> Index:
    return Index(**{**_named(_tuples(row)), "name": row["name"], "uses": frozenset(row["uses"])})
