"""Rows against keys: NULLs, duplicates, and what foreign keys refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.facts import Column, Facts, Index, Relation
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.known import key
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.keys import duplicates, orphans
from lockgate.safety.probes.rows import nulls, raw
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.ddl import enum, ident, strings
from lockgate.sql.tree import Node


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
    parts, names, predicate, distinct = keys
    probe = duplicates(relation, parts, predicate=predicate, nulls_distinct=distinct)
    counted = db.prober.ask(probe)
    concurrent = c.part.DESCRIPTOR.name == "IndexStmt" and c.part.concurrent
    left = " An INVALID index would be left behind." if concurrent else ""
    shown = ", ".join(names)
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"This fails: {{count}} of {relation.label} share their {shown} with another one.{left}",
        why=f"A unique index takes one row for each key. {db.size(relation)}.",
        looks=f"whether rows of {relation.label} share their {shown}",
        rewrite=f"-- These are the keys:\nSELECT {shown}, count(*) FROM {relation.sql} GROUP BY {shown} "
        "HAVING count(*) > 1;",
    )


_Unique = tuple[Sequence[sql.Composable], Sequence[str], sql.Composable | None, bool]


def _unique(c: Context, db: Database, relation: Relation) -> _Unique | None:
    """Keys, how they are written, the predicate, and whether NULLs differ; None for what is not unique."""
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
    return (
        [sql.Identifier(column.name) for column in columns],
        [ident(x.name) for x in columns],
        None,
        (not node.nulls_not_distinct),
    )


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
    predicate = None
    if node.HasField("where_clause"):
        text = ddl.expression(node.where_clause, values=True)
        if not text:
            return None
        predicate = raw(text)
    shown = [
        ident(item.index_elem.name) if item.index_elem.name else f"({c.expression(item.index_elem.expr)})"
        for item in node.index_params
    ]
    return parts, shown, predicate, not node.nulls_not_distinct


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


def _foreign(c: Context, db: Database) -> tuple[Relation, Relation, tuple[Column, ...], tuple[Column, ...]] | None:
    """A foreign key that is added: both tables and their columns, as far as all are there."""
    node = c.part
    if not c.adds or node.DESCRIPTOR.name != "Constraint" or enum(node, "contype") != "CONSTR_FOREIGN":
        return None
    child, parent = db.relation(c), db.relation(c, node.pktable)
    if child is None or parent is None or c.column is not None:
        return None
    columns = db.columns(c, child, strings(node.fk_attrs))
    if node.pk_attrs:
        referenced = db.columns(c, parent, strings(node.pk_attrs))
    else:
        primary = db.facts.primary_key(parent.oid)
        referenced = db.columns(c, parent, db.facts.names_of(parent.oid, primary.sorted_by)) if primary else ()
    if not columns or len(columns) != len(referenced):
        return None
    return child, parent, columns, referenced


@told(
    "LG521",
    "orphans",
    Severity.HIGH,
    "A foreign key fails on rows without a parent",
    on=("CONSTR_FOREIGN", "AT_ValidateConstraint"),
    hazard="ADD FOREIGN KEY, or VALIDATE of one that was NOT VALID, reads all rows and fails with error 23503. While "
    "it is NOT VALID such rows stay, and fail when somebody changes their key.",
    instead="Remove these rows, or give them a parent or no key at all, first.",
    rows=(41,),
    tier=Tier.DATA,
    looks="whether there are rows without a parent",
)
def orphaned(c: Context, db: Database) -> Iterator[Found]:
    found = _foreign(c, db) or _validated(c, db)
    if found is None:
        return
    child, parent, columns, referenced = found
    names, theirs = [x.name for x in columns], [x.name for x in referenced]
    full = c.part.DESCRIPTOR.name == "Constraint" and c.part.fk_matchtype == "f"
    if not all(_comparable(db.facts, x, y) for x, y in zip(columns, referenced, strict=True)):
        return
    counted = db.prober.ask(orphans(db.facts, child, names, parent, theirs, match_full=full))
    later = c.part.DESCRIPTOR.name == "Constraint" and c.part.skip_validation
    shown = ", ".join(map(ident, names))
    joined = " AND ".join(f"p.{ident(y)} = c.{ident(x)}" for x, y in zip(names, theirs, strict=True))
    set_ = " AND ".join(f"c.{ident(x)} IS NOT NULL" for x in names)
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, child) or db.rows_change(c, parent),
        what=f"{'VALIDATE will fail' if later else 'This fails'}: {{count}} of {child.label} refer by {shown} to rows "
        f"of {parent.label} that are not there.",
        why=f"Each row must have its parent. {db.size(child)}.",
        looks=f"whether rows of {child.label} have a parent in {parent.label}",
        rewrite=f"-- These are the rows:\nSELECT c.* FROM {child.sql} AS c\n  WHERE {set_} AND NOT EXISTS "
        f"(SELECT FROM {parent.sql} AS p WHERE {joined});",
    )


def _validated(c: Context, db: Database) -> tuple[Relation, Relation, tuple[Column, ...], tuple[Column, ...]] | None:
    relation = db.relation(c)
    if relation is None or c.part.DESCRIPTOR.name != "AlterTableCmd":
        return None
    for constraint in db.facts.constraints_of(relation.oid):
        if constraint.name == c.part.name and constraint.type == "f" and not constraint.validated:
            parent = db.facts.relations[constraint.referenced]
            own = [db.facts.numbered(relation.oid, number) for number in constraint.columns]
            theirs = [db.facts.numbered(parent.oid, number) for number in constraint.referenced_columns]
            return relation, parent, tuple(x for x in own if x), tuple(x for x in theirs if x)
    return None


def _comparable(facts: Facts, own: Column, theirs: Column) -> bool:
    """Whether a foreign key between columns of these types is possible."""
    left, right = facts.base_type(own.type), facts.base_type(theirs.type)
    if left == right or (right, left) in facts.equals:
        return True
    cast = facts.casts.get((left, right))
    return cast is not None and cast[1] == "i"


@told(
    "LG522",
    "foreign-key-to-no-key",
    Severity.HIGH,
    "A foreign key refers to columns that are not unique",
    on=("CONSTR_FOREIGN",),
    hazard="A foreign key needs a unique index on exactly the columns that it refers to, one that is neither partial "
    "nor deferrable, nor INVALID. Without one it fails with error 42830.",
    instead="Build the unique index concurrently first.",
    rows=(44,),
    looks="which unique indexes the table has",
)
def foreign_key_to_no_key(c: Context, db: Database) -> Iterator[Found]:
    found = _foreign(c, db)
    if found is None:
        return
    _, parent, _, referenced = found
    numbers = sorted(column.number for column in referenced)
    known = c.known.tables.get(("" if parent.schema == "public" else parent.schema, parent.name))
    names = {column.name for column in referenced}
    if any(index.identifies_rows and sorted(index.sorted_by) == numbers for index in db.facts.indexes_of(parent.oid)):
        return
    if known and any(set(columns) == names and not _was(db, parent, name) for name, columns in known.indexes.items()):
        return  # a statement before makes it
    shown = ", ".join(ident(column.name) for column in referenced)
    unfit = _unfit(db, parent, numbers)
    yield c.found(
        f"This fails: no unique index of {parent.label} is on {shown} alone.",
        unfit or "A foreign key refers to what is unique.",
        f"CREATE UNIQUE INDEX CONCURRENTLY ON {parent.sql} ({shown});",
    )


@told(
    "LG523",
    "added-foreign-key-without-index",
    Severity.MEDIUM,
    "No index on the columns of a foreign key that is added",
    on=("CONSTR_FOREIGN",),
    hazard="Deleting a row of the other table, or changing its key, looks for rows that refer to it: without an index "
    "all rows are read each time, under a lock.",
    instead="Build an index on the columns, concurrently, before the foreign key.",
    rows=(45,),
    looks="whether an index begins with the columns",
)
def foreign_key_without_index(c: Context, db: Database) -> Iterator[Found]:
    found = _foreign(c, db)
    if found is None:
        return
    child, parent, columns, _ = found
    numbers = {column.number for column in columns}
    for index in db.facts.indexes_of(child.oid):
        usable = index.valid and index.predicate is None and not db.dropped(c, "OBJECT_INDEX", index.name)
        if usable and set(index.sorted_by[: len(numbers)]) == numbers:
            return
    names = {column.name for column in columns}
    if any(_begins(db, statement.node, child, names) for statement in c.subject.statements):
        return
    shown = ", ".join(ident(column.name) for column in columns)
    yield c.found(
        f"Each DELETE from {parent.label} will read all of {child.label}: no index begins with {shown}.",
        f"{db.size(child)}.",
        f"CREATE INDEX CONCURRENTLY ON {child.sql} ({shown});",
        severity=Severity.LOW if db.is_small(child) else None,
    )


def _begins(db: Database, node: Node, table: Relation, names: set[str]) -> bool:
    """Whether a statement makes an index that begins with these columns."""
    if node.DESCRIPTOR.name != "IndexStmt" or node.HasField("where_clause"):
        return False
    same = db.same(key(node.relation), table)
    return same and {item.index_elem.name for item in node.index_params[: len(names)]} == names


def _was(db: Database, relation: Relation, name: str) -> bool:
    return db.facts.index(relation.schema, name) is not None


def _unfit(db: Database, parent: Relation, numbers: list[int]) -> str:
    for index in db.facts.indexes_of(parent.oid):
        if index.unique and sorted(index.sorted_by) == numbers:
            return f"{index.label} will not do: {_fault(index)}."
    return ""


def _fault(index: Index) -> str:
    if not index.valid:
        return "it is INVALID"
    return "it is partial" if index.predicate is not None else "its constraint is deferrable"


RULES = (
    null_in_the_way,
    unique_with_duplicates,
    unique_allows_nulls,
    orphaned,
    foreign_key_to_no_key,
    foreign_key_without_index,
)
