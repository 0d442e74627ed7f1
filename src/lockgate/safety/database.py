"""The database that statements are examined against: what its catalog says, and a way to ask for its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from lockgate.safety.context import Context
from lockgate.safety.facts import Facts
from lockgate.safety.known import Key, key, key_of
from lockgate.safety.probes.asking import Prober
from lockgate.safety.records import Column, Relation
from lockgate.safety.subject import Subject
from lockgate.sql import ddl
from lockgate.sql.tree import Node, enum, walk
from lockgate.sql.words import words

_CHANGE_ROWS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt", "TruncateStmt"})
_MAY_CHANGE_ANY = frozenset({"DoStmt", "CallStmt", "SelectStmt"})
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_SMALL = 1024**2
_FEW = 1000


@dataclass(slots=True)
class Database:
    """What rules of the upper tiers are given as ``facts``.

    :ivar before: the texts that will have run before the one that is examined.
    """

    facts: Facts
    prober: Prober
    before: list[Subject] = field(default_factory=list)

    # --- what a statement is about ------------------------------------------------------------------------------

    def relation(self, c: Context, node: Node | None = None) -> Relation | None:
        """The relation that a ``RangeVar`` names, the context's own without one; None if it is not there yet."""
        named = c.relation if node is None else node
        if named is None or named.relpersistence == "t" or c.known.is_new(key(named)):
            return None
        return self.facts.relation(named.schemaname, named.relname)

    def column(self, c: Context, relation: Relation, name: str) -> Column | None:
        """A column as it is now, if no statement before has made it another."""
        column = self.facts.column(relation.oid, name)
        known = c.known.column(key_of((relation.schema, relation.name)), name)
        if column is None or known is None or known.type != column.type_name.removeprefix("public."):
            return None
        return column

    def columns(self, c: Context, relation: Relation, names: tuple[str, ...]) -> tuple[Column, ...]:
        """Columns as they are now; none if one of them is not there."""
        found = [self.column(c, relation, name) for name in names]
        known = tuple(column for column in found if column is not None)
        return known if len(known) == len(names) else ()

    def same(self, name: Key, relation: Relation) -> bool:
        """Whether a name in a text is this relation's."""
        return self.facts.relation(*name) is relation if name[0] else name[1] == relation.name

    # --- what statements before do ------------------------------------------------------------------------------

    def rows_change(self, c: Context, relation: Relation) -> bool:
        """Whether a statement before this one may change rows of a table, so that what is counted now will differ."""
        for kind, node in self._statements(c):
            if kind in _CHANGE_ROWS and any(self._names(inner, relation) for inner in walk(node)):
                return True
            if kind in _MAY_CHANGE_ANY and _code(node, relation.name):
                return True
        return False

    def dropped(self, c: Context, kind: str, name: str) -> bool:
        """Whether a statement before this one drops something of a kind (``OBJECT_INDEX``) and of this name."""
        return any(
            statement == "DropStmt"
            and enum(node, "remove_type") == kind
            and any(names[-1] == name for names in ddl.objects(node))
            for statement, node in self._statements(c)
        )

    def _statements(self, c: Context) -> Iterator[tuple[str, Node]]:
        for subject in self.before:
            yield from ((statement.kind, statement.node) for statement in subject.statements)
        for statement in c.subject.statements[: c.statement.index]:
            yield statement.kind, statement.node

    def _names(self, node: Node, relation: Relation) -> bool:
        return node.DESCRIPTOR.name == "RangeVar" and self.same(key(node), relation)

    # --- types ----------------------------------------------------------------------------------------------------

    def type(self, node: Node) -> tuple[int, int] | None:
        """Oid and modifier of a type; None if the server does not know it (yet)."""
        text = ddl.type_of(node)
        try:
            with self.prober.looking():
                cursor = self.prober.conn.execute(
                    sql.SQL("SELECT NULL::{}, pg_catalog.to_regtype({})::oid::bigint LIMIT 0").format(
                        sql.SQL(text),
                        sql.Literal(text),
                    )
                )
                result = cursor.pgresult
                oid = self.prober.conn.execute(
                    "SELECT pg_catalog.to_regtype(%s)::oid::bigint", (text.partition("(")[0],)
                ).fetchone()
        except psycopg.Error:
            return None
        if result is None or oid is None or oid[0] is None:
            return None
        return int(oid[0]), result.fmod(0)

    # --- figures --------------------------------------------------------------------------------------------------

    def size(self, relation: Relation) -> str:
        """How large a table is, in words."""
        rows = self.facts.rows_of(relation)
        if rows is None:
            return f"{relation.label} has never been analyzed, so its size is not known"
        return f"{relation.label} has about {round(rows):,} rows in {amount(self.facts.bytes_of(relation))}"

    def has_rows(self, relation: Relation) -> bool | None:
        """Whether a table holds a row now; None if it cannot be looked at."""
        if self.prober.refusal([relation]):
            return None
        try:
            with self.prober.looking():
                row = self.prober.conn.execute(
                    sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(relation.schema, relation.name))
                ).fetchone()
        except psycopg.Error:
            return None
        return bool(row and row[0])

    def is_small(self, relation: Relation) -> bool:
        """Whether reading or rewriting a table takes no time that anybody notices, by the server's estimate."""
        rows = self.facts.rows_of(relation)
        return rows is not None and rows <= _FEW and self.facts.bytes_of(relation) <= _SMALL


def amount(size: float) -> str:
    """Bytes for people."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit and size < 10 else f"{size:.0f} {_UNITS[unit]}"


def _code(node: Node, name: str) -> bool:
    """Whether code that is run as a text, or a function that is called, may change a table of this name."""
    for inner in walk(node):
        if inner.DESCRIPTOR.name == "String" and len(inner.sval) > len(name) and words(inner.sval).tell_of(name):
            return True
    return any(inner.DESCRIPTOR.name == "FuncCall" for inner in walk(node)) and node.DESCRIPTOR.name == "CallStmt"
