"""Foreign keys that are added, against the tables, keys and rows that are there."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.facts import Facts
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.known import key
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.keys import orphans
from lockgate.safety.records import Column, Index, Relation
from lockgate.safety.rule import Found
from lockgate.sql.ddl import ident
from lockgate.sql.tree import Node, enum, strings


def _foreign(c: Context, db: Database) -> tuple[Relation, Relation, tuple[Column, ...], tuple[Column, ...]] | None:
    """A foreign key that is added: both tables and their columns, as far as all are there."""
    node = c.part
    if not c.adds or node.DESCRIPTOR.name != "Constraint" or enum(node, "contype") != "CONSTR_FOREIGN":
        return None
    if not node.is_enforced:
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
    full = _matches_in_full(c, db, child)
    if not all(_comparable(db.facts, x, y) for x, y in zip(columns, referenced, strict=True)):
        return
    counted = db.prober.ask(orphans(db.facts, child, names, parent, theirs, match_full=full))
    later = c.part.DESCRIPTOR.name == "Constraint" and c.part.skip_validation
    shown = ", ".join(map(ident, names))
    joined = " AND ".join(f"p.{ident(y)} = c.{ident(x)}" for x, y in zip(names, theirs, strict=True))
    given = [f"c.{ident(x)} IS NOT NULL" for x in names]
    missing = f"{' AND '.join(given)} AND NOT EXISTS (SELECT FROM {parent.sql} AS p WHERE {joined})"
    if full and len(names) > 1:
        missing = f"{missing}\n  OR ({' OR '.join(given)}) AND NOT ({' AND '.join(given)})"
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, child) or db.rows_change(c, parent),
        what=f"{'VALIDATE will fail' if later else 'This fails'}: {{count}} of {child.label} refer by {shown} to rows "
        f"of {parent.label} that are not there.",
        why=f"Each row must have its parent. {db.size(child)}.",
        looks=f"whether rows of {child.label} have a parent in {parent.label}",
        rewrite=f"-- These are the rows:\nSELECT c.* FROM {child.sql} AS c\n  WHERE {missing};",
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


def _matches_in_full(c: Context, db: Database, child: Relation) -> bool:
    """Whether a key of which only a part is NULL is refused too."""
    if c.part.DESCRIPTOR.name == "Constraint":
        return bool(c.part.fk_matchtype == "f")
    return any(x.match_full for x in db.facts.constraints_of(child.oid) if x.name == c.part.name)


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


RULES = (orphaned, foreign_key_to_no_key, foreign_key_without_index)
