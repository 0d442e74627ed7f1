"""Rows against keys: NULLs, duplicates, and what foreign keys refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.facts import Facts
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.keys import duplicates
from lockgate.safety.probes.rows import nulls, raw
from lockgate.safety.records import Column, Relation
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.ddl import ident
from lockgate.sql.tree import Node, enum, strings


@told(
    "LG425",
    "null-in-the-way",
    Severity.HIGH,
    "SET NOT NULL, or a primary key, fails on NULLs",
    on=("AT_SetNotNull", "CONSTR_PRIMARY", "CONSTR_NOTNULL", "AT_ValidateConstraint"),
    hazard="The statement reads all rows and fails with error 23502 or 23514 at the first one without a value.",
    instead="Fill the column first, in batches.",
    rows=(29,),
    tier=Tier.DATA,
    looks="whether there is a NULL in the column",
)
def null_in_the_way(c: Context, db: Database) -> Iterator[Found]:
    relation = db.relation(c)
    names = _required(c, db, relation) if relation else ()
    if relation is None or not names:
        return
    counted = db.prober.ask(nulls(db.facts, relation, names))
    shown = ", ".join(ident(name) for name in names)
    empty = " OR ".join(f"{ident(name)} IS NULL" for name in names)
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"This fails: {{count}} of {relation.label} have no value in {shown}.",
        why=f"Each row is tested. {db.size(relation)}.",
        looks=f"whether {relation.label}.{shown} holds a NULL",
        rewrite=f"-- Give these rows a value first:\nSELECT count(*) FROM {relation.sql} WHERE {empty};",
    )


def _required(c: Context, db: Database, relation: Relation) -> tuple[str, ...]:
    """The columns that a statement will have no NULL in, and that may have some now."""
    match c.part.DESCRIPTOR.name:
        case "AlterTableCmd" if enum(c.part, "subtype") == "AT_SetNotNull":
            names: tuple[str, ...] = (c.part.name,)
        case "AlterTableCmd":
            return _unvalidated(db, relation, c.part.name)
        case "Constraint" if c.adds and c.column is None and enum(c.part, "contype") == "CONSTR_PRIMARY":
            names = _keys(c, db, relation)
        case "Constraint" if c.adds and c.column is None and enum(c.part, "contype") == "CONSTR_NOTNULL":
            names = strings(c.part.keys) if not c.part.skip_validation else ()
        case _:
            return ()
    columns = db.columns(c, relation, names)
    return tuple(column.name for column in columns if not column.not_null)


def _unvalidated(db: Database, relation: Relation, name: str) -> tuple[str, ...]:
    """The columns of a NOT NULL that is to be validated."""
    for constraint in db.facts.constraints_of(relation.oid):
        if constraint.name == name and constraint.type == "n" and not constraint.validated:
            return db.facts.names_of(relation.oid, constraint.columns)
    return ()


def _keys(c: Context, db: Database, relation: Relation) -> tuple[str, ...]:
    """The columns of a primary key or UNIQUE that is added."""
    if c.part.indexname:
        index = db.facts.index(relation.schema, c.part.indexname)
        return db.facts.names_of(relation.oid, index.sorted_by) if index else ()
    return strings(c.part.keys)


@told(
    "LG421",
    "unique-with-duplicates",
    Severity.HIGH,
    "A unique index over rows that are not unique fails",
    on=("IndexStmt", "CONSTR_PRIMARY", "CONSTR_UNIQUE"),
    hazard="The build reads all rows and fails with error 23505. Built concurrently it leaves an INVALID index behind, "
    "which each write pays for.",
    instead="Decide which of the rows stays, and remove or change the others first.",
    rows=(33,),
    tier=Tier.DATA,
    looks="whether rows share a key",
)
def unique_with_duplicates(c: Context, db: Database) -> Iterator[Found]:
    relation = db.relation(c)
    keys = _unique(c, db, relation) if relation else None
    if relation is None or keys is None:
        return
    counted = db.prober.ask(
        duplicates(relation, keys.parts, predicate=keys.predicate, nulls_distinct=keys.nulls_distinct)
    )
    concurrent = c.part.DESCRIPTOR.name == "IndexStmt" and c.part.concurrent
    left = " An INVALID index would be left behind." if concurrent else ""
    shown = ", ".join(keys.shown)
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"This fails: {{count}} of {relation.label} share their {shown} with another one.{left}",
        why=f"A unique index takes one row for each key. {db.size(relation)}.",
        looks=f"whether rows of {relation.label} share their {shown}",
        rewrite=f"-- These are the keys:\nSELECT {shown}, count(*) FROM {relation.sql}{keys.where} GROUP BY {shown} "
        "HAVING count(*) > 1;",
    )


@dataclass(frozen=True, slots=True)
class _Unique:
    """What is to be unique.

    :param parts: columns and expressions.
    :param shown: the same for people, without constants.
    :param predicate: of a partial index.
    :param predicate_shown: the same for people; empty without one.
    """

    parts: Sequence[sql.Composable]
    shown: Sequence[str]
    predicate: sql.Composable | None
    predicate_shown: str
    nulls_distinct: bool

    @property
    def where(self) -> str:
        """The rows that are to be unique, for people."""
        conditions = [f"({self.predicate_shown})"] if self.predicate_shown else []
        if self.nulls_distinct:
            conditions += [f"{part} IS NOT NULL" for part in self.shown]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _unique(c: Context, db: Database, relation: Relation) -> _Unique | None:
    """None for what is not unique, or certainly is."""
    node = c.part
    if node.DESCRIPTOR.name == "IndexStmt":
        if not node.unique:
            return None
        return _of_index(c, db, relation, node)
    if node.DESCRIPTOR.name != "Constraint" or not c.adds or c.column is not None or node.indexname:
        return None
    if enum(node, "contype") not in {"CONSTR_PRIMARY", "CONSTR_UNIQUE"}:
        return None
    columns = db.columns(c, relation, strings(node.keys))
    if not columns or _identified(db.facts, relation, columns):
        return None
    parts = [sql.Identifier(column.name) for column in columns]
    return _Unique(parts, [ident(x.name) for x in columns], None, "", not node.nulls_not_distinct)


def _of_index(c: Context, db: Database, relation: Relation, node: Node) -> _Unique | None:
    parts: list[sql.Composable] = []
    plain: list[Column] = []
    for item in node.index_params:
        element = item.index_elem
        if element.name:
            column = db.column(c, relation, element.name)
            if column is None:
                return None
            plain.append(column)
            parts.append(sql.Identifier(element.name))
        else:
            text = ddl.expression(element.expr, values=True)
            if not text:
                return None
            parts.append(raw(f"({text})"))
    if len(plain) == len(parts) and _identified(db.facts, relation, plain):
        return None
    predicate, predicate_shown = None, ""
    if node.HasField("where_clause"):
        text = ddl.expression(node.where_clause, values=True)
        if not text:
            return None
        predicate, predicate_shown = raw(text), c.expression(node.where_clause)
    shown = [
        ident(item.index_elem.name) if item.index_elem.name else f"({c.expression(item.index_elem.expr)})"
        for item in node.index_params
    ]
    return _Unique(parts, shown, predicate, predicate_shown, not node.nulls_not_distinct)


def _identified(facts: Facts, relation: Relation, columns: Sequence[Column]) -> bool:
    """Whether an index makes some of these columns unique already."""
    numbers = {column.number for column in columns}
    return any(
        index.identifies_rows and set(index.sorted_by) <= numbers for index in facts.indexes_of(relation.oid)
    ) and all(column.not_null for column in columns)


@told(
    "LG422",
    "unique-allows-nulls",
    Severity.LOW,
    "A unique index takes any number of rows without a value",
    on=("IndexStmt", "CONSTR_UNIQUE"),
    hazard="NULLs differ from each other: a column that may be NULL lets in any number of rows without a value, and "
    "of a key of several columns all rows in which one is NULL.",
    instead="Say NULLS NOT DISTINCT (from PostgreSQL 15 on), or make the columns NOT NULL.",
    rows=(34,),
    looks="whether the columns may be NULL",
)
def unique_allows_nulls(c: Context, db: Database) -> Iterator[Found]:
    relation, node = db.relation(c), c.part
    if relation is None or db.facts.version < _NULLS_NOT_DISTINCT or node.nulls_not_distinct:
        return
    match node.DESCRIPTOR.name:
        case "IndexStmt" if node.unique and not node.HasField("where_clause"):
            names = tuple(item.index_elem.name for item in node.index_params)
        case "Constraint" if c.adds and c.column is None and enum(node, "contype") == "CONSTR_UNIQUE":
            names = strings(node.keys)
        case _:
            return
    columns = db.columns(c, relation, names)
    known = {name: c.known.column(c.key, name) for name in names}
    empty = [ident(x.name) for x in columns if not x.not_null and not ((k := known[x.name]) and k.not_null)]
    # Of one column that may be NULL most mean just that: none, or one that nobody else has.
    if len(columns) < 2 or not empty:
        return
    yield c.found(
        f"Rows of {relation.label} may be alike in all of {', '.join(ident(x.name) for x in columns)}, as long as one "
        f"of them is NULL: {', '.join(empty)} may be.",
        "For a unique index no NULL is equal to another one.",
    )


_NULLS_NOT_DISTINCT = 150_000


RULES = (null_in_the_way, unique_with_duplicates, unique_allows_nulls)
