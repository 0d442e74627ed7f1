"""LG4xx: keys, whose indexes are built with them."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import ALONE, beside, lines, name_for, not_null_steps
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import Key
from lockgate.safety.partitioned import below
from lockgate.safety.rule import Found, rule
from lockgate.safety.rules.constraints import SIZE, added, proven
from lockgate.sql.ddl import dotted, ident
from lockgate.sql.tree import enum, strings


@rule(
    "LG402",
    "add-primary-key",
    Severity.HIGH,
    "ADD PRIMARY KEY builds an index under ACCESS EXCLUSIVE",
    on=("CONSTR_PRIMARY",),
    hazard="The index is built while nobody can read or write the table; columns that may be NULL are made NOT NULL, "
    "for which all rows are read once more.",
    instead="Make the columns NOT NULL, build a unique index concurrently, then ADD PRIMARY KEY USING INDEX.",
    rows=(31,),
    catalog=SIZE,
    data="whether rows are equal in the columns, or NULL",
)
def add_primary_key(c: Context) -> Iterator[Found]:
    if added(c) and not c.part.indexname:
        yield c.found(
            f"The index of the primary key is built while nobody can read or write {c.table}.",
            "ADD PRIMARY KEY holds ACCESS EXCLUSIVE until the whole table is indexed.",
            _by_index(c),
        )


@rule(
    "LG403",
    "add-unique",
    Severity.HIGH,
    "ADD UNIQUE builds an index under ACCESS EXCLUSIVE",
    on=("CONSTR_UNIQUE",),
    hazard="The index is built while nobody can read or write the table, and rows that are equal make it fail.",
    instead="Build a unique index concurrently, then ADD CONSTRAINT ... UNIQUE USING INDEX.",
    rows=(32,),
    catalog=SIZE,
    data="whether rows are equal in the columns",
)
def add_unique(c: Context) -> Iterator[Found]:
    if added(c) and not c.part.indexname:
        yield c.found(
            f"The index of the constraint is built while nobody can read or write {c.table}.",
            "ADD UNIQUE holds ACCESS EXCLUSIVE until the whole table is indexed.",
            _by_index(c),
        )


def _by_index(c: Context) -> str:
    """A concurrent index that becomes the constraint; not for what an index cannot say."""
    node = c.part
    if node.without_overlaps:
        return ""
    columns = strings(node.keys)
    primary = enum(c.part, "contype") == "CONSTR_PRIMARY"
    plain = node.conname or (name_for(c, (), "pkey") if primary else name_for(c, columns, "key"))
    label = ident(plain)
    listed = ", ".join(ident(name) for name in columns)
    more = f" INCLUDE ({', '.join(ident(name) for name in strings(node.including))})" if node.including else ""
    nulls = " NULLS NOT DISTINCT" if node.nulls_not_distinct else ""
    late = " DEFERRABLE" if node.deferrable else ""
    late += " INITIALLY DEFERRED" if node.initdeferred else ""
    word = "PRIMARY KEY" if primary else "UNIQUE"
    first = [step for name in columns if not proven(c, name) for step in not_null_steps(c, name)] if primary else []

    def make(part: Key, index: str, split: bool) -> Iterator[str]:
        table, own = dotted(part), ident(index)
        if split:
            yield f"ALTER TABLE ONLY {table} ADD CONSTRAINT {own} {word}{nulls} ({listed}){more}{late};"
            return
        yield f"CREATE UNIQUE INDEX CONCURRENTLY {own} ON {table} ({listed}){more}{nulls};"
        yield f"ALTER TABLE {table} ADD CONSTRAINT {own} {word} USING INDEX {own}{late};"

    if c.known.is_partitioned(c.key):
        whole = f"ALTER TABLE ONLY {c.table} ADD CONSTRAINT {label} {word}{nulls} ({listed}){more}{late};"
        return lines(first, whole, below(c.known, c.key, beside(c, plain), plain, make), ALONE)
    return lines(
        first,
        f"CREATE UNIQUE INDEX CONCURRENTLY {label} ON {c.table} ({listed}){more}{nulls};",
        ALONE,
        f"ALTER TABLE {c.table} ADD CONSTRAINT {label} {word} USING INDEX {label}{late};",
    )


@rule(
    "LG404",
    "primary-key-over-nullable",
    Severity.HIGH,
    "ADD PRIMARY KEY USING INDEX reads the table if a column may be NULL",
    on=("CONSTR_PRIMARY",),
    hazard="The columns are made NOT NULL on the way, and all rows are read for it under ACCESS EXCLUSIVE.",
    instead="Make the columns NOT NULL first, by a constraint that is validated under a weak lock.",
    rows=(30,),
    catalog="whether the columns of the index may be NULL",
)
def primary_key_over_nullable(c: Context) -> Iterator[Found]:
    if not added(c) or not c.part.indexname:
        return
    columns = c.shape.indexes.get(c.part.indexname, ())
    open_ = [name for name in columns if name in c.shape.columns and not proven(c, name)]
    if open_:
        yield c.found(
            f"{c.table} is read as a whole while nobody can use it: {', '.join(map(ident, open_))} may be NULL so far.",
            "A primary key makes its columns NOT NULL, which tests each row.",
            lines([step for name in open_ for step in not_null_steps(c, name)]),
        )


@rule(
    "LG405",
    "add-exclusion",
    Severity.HIGH,
    "An exclusion constraint is built under ACCESS EXCLUSIVE, and cannot be NOT VALID",
    on=("CONSTR_EXCLUSION",),
    hazard="ADD ... EXCLUDE builds its index while nobody can read or write the table. There is no NOT VALID for it, "
    "and no index that is built concurrently can become one.",
    instead="Make a new table with the constraint, move the rows, and change the names; or do it when nobody writes.",
    rows=(35, 36),
    catalog=SIZE + ", and whether the operator classes are there (for plain types: the extension btree_gist)",
    data="whether rows exclude each other",
)
def add_exclusion(c: Context) -> Iterator[Found]:
    if added(c):
        yield c.found(
            f"The index of the constraint is built while nobody can read or write {c.table}.",
            "An exclusion constraint cannot be added as NOT VALID, nor be made of an index.",
        )


@rule(
    "LG409",
    "key-without-partition-key",
    Severity.HIGH,
    "A key of a partitioned table must hold the partition key",
    on=("CONSTR_PRIMARY", "CONSTR_UNIQUE", "IndexStmt"),
    hazard="PRIMARY KEY, UNIQUE and unique indexes of a partitioned table must hold all columns of the partition key: "
    "error 0A000 otherwise. A partition key that is an expression allows none at all.",
    instead="Add the columns of the partition key to the key, or put the key on each partition.",
    rows=(72,),
    catalog="whether the table is partitioned, and by what",
)
def key_without_partition_key(c: Context) -> Iterator[Found]:
    by = _partition_key(c)
    if by is None:
        return
    if c.statement.kind == "IndexStmt":
        if not c.node.unique or (c.relation is not None and not c.relation.inh):
            return
        columns = [item.index_elem.name for item in c.node.index_params]
    elif not c.part.indexname:
        columns = [c.column.colname] if c.column is not None else list(strings(c.part.keys))
    else:
        return
    missing = [name for name in by if name not in columns]
    if missing:
        shown = ", ".join(ident(name) if name else "an expression" for name in missing)
        yield c.found(
            f"This fails: the key of {c.table} lacks {shown}, by which the table is partitioned.",
            "Each partition has an index of its own, so a key must hold the partition key (error 0A000).",
            settled=True,
        )


def _partition_key(c: Context) -> tuple[str, ...] | None:
    if c.statement.kind == "CreateStmt":
        if not c.node.HasField("partspec"):
            return None
        return tuple(item.partition_elem.name for item in c.node.partspec.part_params)
    return c.shape.partitioned


RULES = (add_primary_key, add_unique, primary_key_over_nullable, add_exclusion, key_without_partition_key)
