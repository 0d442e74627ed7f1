"""Foreign keys that pending migrations would make, looked at before the first of them is run.

A key whose column has another type than what it refers to, or that refers to a table which is not there, fails in the
middle of its file, when the files before it are applied. What a file does that its text does not tell ends the look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, sql

from lockgate.errors import PlanError
from lockgate.history.base import Migration
from lockgate.script.located import Located, located
from lockgate.sql.references import Reference, Said, Table, said
from lockgate.sqlfiles import load

_DO = "Nothing was applied. Correct the file, if it was not applied anywhere yet."


def refuse_unfit(conn: Connection[Any], pending: Sequence[Migration]) -> None:
    """Refuse foreign keys that the server would refuse.

    :param conn: with the database's own search_path, which may make temporary tables; nothing stays.
    :raises PlanError: with the place of the first one.
    """
    looking = _Looking(conn)
    for migration in pending:
        if migration.up is None:
            return
        for item in located(migration.up.text, migration.up.at):
            told = said(item.statement.text)
            if told is None:
                return
            looking.take(told, item)


@dataclass(slots=True)
class _Known:
    """A table as it will be, as far as the pending files say it."""

    types: dict[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()


class _Looking:
    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        row = conn.execute("SELECT coalesce(pg_catalog.current_schema(), '')").fetchone()
        self._schema = str(row[0]) if row else ""
        self._made: dict[Table, _Known] = {}

    def take(self, told: Said, item: Located) -> None:
        """Look at what one statement says, and remember it."""
        table = told.made or told.altered
        if table is None or (told.made and told.lenient and self._oid(table) is not None):
            return
        if told.altered and not told.lenient:
            self._require(table, item.at(told.offset))
        known = self._made.setdefault(self._named(table), _Known())
        known.types |= told.types
        known.key = told.key or known.key
        for reference in told.references:
            self._look(reference, item.at(reference.offset))

    def _look(self, reference: Reference, where: str) -> None:
        self._require(reference.referenced, where)
        into = reference.into or self._key(reference.referenced)
        if len(into) != len(reference.columns):
            return
        for column, other in zip(reference.columns, into, strict=True):
            types = self._type(reference.table, column), self._type(reference.referenced, other)
            if None not in types and not self._fit(*map(str, types)):
                name, target = f'"{reference.table.name}"."{column}"', f'"{reference.referenced.name}"."{other}"'
                raise PlanError(
                    f"{name} is {types[0]}, and {target}, to which it would refer, is {types[1]}",
                    where=where,
                    why=f"PostgreSQL makes no foreign key from {types[0]} to {types[1]}.",
                    hint=f"Make {name} {types[1]}. {_DO}",
                )

    def _require(self, table: Table, where: str) -> None:
        if self._named(table) in self._made or self._oid(table) is not None:
            return
        alike = [known for known in self._tables() if known.lower() == table.name.lower()]
        raise PlanError(
            f'There is no table "{table.name}"',
            where=where,
            why="A name without quotes is read in lower case." if alike else None,
            hint=(f'Did you mean "{alike[0]}", with its quotes? ' if alike else "") + _DO,
        )

    def _tables(self) -> list[str]:
        rows = self._conn.execute(load("lockgate.migrating", "references.tables")).fetchall()
        return [table.name for table in self._made] + [str(name) for (name,) in rows]

    def _named(self, table: Table) -> Table:
        return Table(table.schema or self._schema, table.name)

    def _oid(self, table: Table) -> int | None:
        parts = [part for part in (table.schema, table.name) if part]
        row = self._conn.execute(
            "SELECT pg_catalog.to_regclass(%s)::oid::bigint", (sql.Identifier(*parts).as_string(self._conn),)
        ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def _type(self, table: Table, column: str) -> str | None:
        known = self._made.get(self._named(table))
        if known is not None and column in known.types:
            return known.types[column]
        query = load("lockgate.migrating", "references.type")
        row = self._conn.execute(query, {"oid": self._oid(table), "column": column}).fetchone()
        return None if row is None else str(row[0])

    def _key(self, table: Table) -> tuple[str, ...]:
        known = self._made.get(self._named(table))
        if known is not None and known.key:
            return known.key
        rows = self._conn.execute(load("lockgate.migrating", "references.key"), {"oid": self._oid(table)})
        return tuple(str(name) for (name,) in rows)

    def _fit(self, own: str, other: str) -> bool:
        """Whether the server makes such a foreign key: asked of two temporary tables."""
        made = sql.SQL("CREATE TEMPORARY TABLE lockgate_key (value {} PRIMARY KEY)"), other
        refers = sql.SQL("CREATE TEMPORARY TABLE lockgate_refers (value {} REFERENCES pg_temp.lockgate_key)"), own
        try:
            with self._conn.transaction(force_rollback=True):
                for statement, type_ in (made, refers):
                    self._conn.execute(statement.format(sql.SQL(type_)))  # its own words
        except psycopg.errors.DatatypeMismatch:
            return False
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return True  # a type that is made on the way, or no right to make tables: the server will say
        return True
