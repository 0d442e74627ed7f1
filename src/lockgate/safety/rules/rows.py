"""LG8xx: rows in bulk, and statements that write tables anew."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key
from lockgate.safety.rule import Found, rule
from lockgate.sql import tree
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import Node, enum, strings, unwrap

_SIZE = "how many rows the table has"
_ROWS = ("UpdateStmt", "DeleteStmt", "MergeStmt", "InsertStmt", "SelectStmt")


@rule(
    "LG801",
    "truncate",
    Severity.HIGH,
    "TRUNCATE loses all rows, under ACCESS EXCLUSIVE",
    on=("TruncateStmt",),
    hazard="All rows are gone. ACCESS EXCLUSIVE waits for everybody who reads the table; with CASCADE each table that "
    "refers to it is emptied, too, and these to the next ones.",
    instead="Delete in batches, or let go of partitions; name each table instead of CASCADE.",
    rows=(61,),
    catalog="which tables CASCADE empties",
    data=_SIZE,
)
def truncate(c: Context) -> Iterator[Found]:
    tables = [item.range_var for item in c.node.relations if not c.known.is_new(key(item.range_var))]
    if not tables:
        return
    cascade = enum(c.node, "behavior") == "DROP_CASCADE"
    yield c.found(
        f"All rows of {', '.join(map(named, tables))} are lost"
        + (", and of each table that refers to them." if cascade else "."),
        "TRUNCATE takes ACCESS EXCLUSIVE: readers wait, too.",
    )


@rule(
    "LG802",
    "all-rows-at-once",
    Severity.HIGH,
    "UPDATE or DELETE without WHERE changes all rows in one transaction",
    on=_ROWS,
    hazard="Each row stays locked until the transaction ends, its old version stays in the table, and all of it goes "
    "through the WAL at once: writers wait, the table grows to twice its size, replicas fall behind.",
    instead="Change the rows in batches that commit; Lockgate's `transform` step does.",
    rows=(62,),
    data=_SIZE,
)
def all_rows_at_once(c: Context) -> Iterator[Found]:
    for change in _changes(c):
        if not change.is_new and _takes_all(change.part):
            verb = "changed" if tree.kind(change.part) == "UpdateStmt" else "deleted"
            yield change.found(
                f"All rows of {change.table} are {verb} in one transaction, and stay locked until it ends.",
                "There is no WHERE that limits them.",
            )


def _changes(c: Context) -> Iterator[Context]:
    """The statement, if it changes rows, and those in its WITH that do."""
    if c.node.HasField("with_clause"):
        for item in c.node.with_clause.ctes:
            inner = unwrap(item.common_table_expr.ctequery)
            if tree.kind(inner) in _CHANGE:
                yield c.of(inner, inner.relation)
    if c.statement.kind in _CHANGE:
        yield c


_CHANGE = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt"})


def _takes_all(node: Node) -> bool:
    word = tree.kind(node)
    if word == "MergeStmt":
        return False
    if not node.HasField("where_clause"):
        joined = node.from_clause if word == "UpdateStmt" else node.using_clause
        return not joined and not node.HasField("with_clause")
    where = unwrap(node.where_clause)
    return where.DESCRIPTOR.name == "A_Const" and bool(where.boolval.boolval)


@rule(
    "LG803",
    "backfill-in-migration",
    Severity.MEDIUM,
    "A backfill in one transaction",
    on=_ROWS,
    hazard="An UPDATE whose WHERE says no key changes any number of rows: they stay locked until the transaction of "
    "the migration ends, and what the migration locked before stays locked meanwhile.",
    instead="Change the rows in batches that commit, outside of the migration's transaction.",
    rows=(62,),
    catalog="whether the WHERE is one by a unique key",
    data="how many rows it changes",
)
def backfill_in_migration(c: Context) -> Iterator[Found]:
    if c.subject.direction == "down":
        return
    for change in _changes(c):
        if not (change.is_new or _takes_all(change.part) or by_key(change)):
            yield change.found(
                f"The rows of {change.table} that this changes stay locked until the transaction ends, however many "
                "they are.",
                "Its WHERE does not name single rows by a key.",
            )


def by_key(c: Context) -> bool:
    """Whether each row that an UPDATE, DELETE or MERGE changes is named by a value, or there is a limit.

    That is a list of constants, or ``LIMIT``.
    """
    text, node = c.statement.text.lower(), c.part
    if " limit " in text or "\nlimit " in text or node.relation.relname in _HISTORIES:
        return True
    if tree.kind(node) == "MergeStmt" or not node.HasField("where_clause"):
        return False
    assigned = {item.res_target.name for item in node.target_list} if tree.kind(node) == "UpdateStmt" else set()
    return _names_rows(unwrap(node.where_clause), assigned)


_HISTORIES = frozenset({"alembic_version", "django_migrations", "schema_migrations", "_prisma_migrations"})
"""Tables of migration tools, which write a line of theirs with each migration."""


def _names_rows(node: Node, assigned: set[str]) -> bool:
    """Whether a condition names rows by a value of a column that is likely to be a key.

    A column that the statement assigns is none: ``SET state = 'b' WHERE state = 'a'`` changes any number of rows. Nor
    is one of truth values.
    """
    inner = unwrap(node)
    if inner is None:
        return False
    kind = inner.DESCRIPTOR.name
    if kind == "BoolExpr":
        parts = [_names_rows(part, assigned) for part in inner.args]
        word = enum(inner, "boolop")
        return any(parts) if word == "AND_EXPR" else word == "OR_EXPR" and all(parts)
    if kind != "A_Expr" or tree.kind(inner.lexpr) != "ColumnRef":
        return False
    column = strings(unwrap(inner.lexpr).fields)
    return bool(column) and column[-1] not in assigned and _to_values(inner)


def _to_values(comparison: Node) -> bool:
    """Whether it is with one value that is no truth value, with a list, or with a range."""
    word, right = enum(comparison, "kind"), unwrap(comparison.rexpr)
    if word == "AEXPR_BETWEEN":
        return True
    if word == "AEXPR_IN":
        return tree.kind(right) == "List"
    equal = word == "AEXPR_OP" and comparison.name[0].string.sval == "="
    return equal and tree.kind(right) in _VALUES and not (tree.kind(right) == "A_Const" and right.HasField("boolval"))


_VALUES = frozenset({"A_Const", "ParamRef", "TypeCast"})


@rule(
    "LG804",
    "rewrite-by-maintenance",
    Severity.HIGH,
    "VACUUM FULL and CLUSTER write the table anew under ACCESS EXCLUSIVE",
    on=("VacuumStmt", "ClusterStmt"),
    hazard="Nobody reads or writes the table until it and all of its indexes are written anew, and as much disk space "
    "is needed once more.",
    instead="Use the step `rewrite` of a plan, pg_repack or pg_squeeze, or REPACK (CONCURRENTLY) from PostgreSQL 19 "
    "on; plain VACUUM mostly is enough.",
    rows=(6,),
    catalog="how large the table is",
)
def rewrite_by_maintenance(c: Context) -> Iterator[Found]:
    if c.statement.kind == "VacuumStmt":
        full = any(
            item.def_elem.defname == "full" and item.def_elem.arg.string.sval.lower() not in {"false", "off", "0"}
            for item in c.node.options
        )
        if not full:
            return
        tables = ", ".join(named(item.vacuum_relation.relation) for item in c.node.rels)
    else:
        tables = named(c.node.relation) if c.node.HasField("relation") else ""
    if c.statement.kind == "ClusterStmt" and c.is_new:
        return
    yield c.found(
        f"Nobody reads or writes {tables or 'any table'} until it is written anew.",
        "ACCESS EXCLUSIVE is held until the table and its indexes are done.",
    )


_STORAGE = {
    "AT_SetLogged": "SET LOGGED",
    "AT_SetUnLogged": "SET UNLOGGED",
    "AT_SetAccessMethod": "SET ACCESS METHOD",
    "AT_SetTableSpace": "SET TABLESPACE",
}


@rule(
    "LG805",
    "storage-change",
    Severity.HIGH,
    "Another storage writes the table anew under ACCESS EXCLUSIVE",
    on=tuple(_STORAGE),
    hazard="SET LOGGED, UNLOGGED, ACCESS METHOD and TABLESPACE copy the whole table and its indexes while nobody can "
    "read or write it. An unlogged table is empty after a crash, and on replicas.",
    instead="Make a new table of the wanted kind, keep it in step, and change the names.",
    rows=(78,),
    catalog="how large the table is",
)
def storage_change(c: Context) -> Iterator[Found]:
    if not c.is_new:
        yield c.found(
            f"Nobody reads or writes {c.table} until it has been copied.",
            f"{_STORAGE[enum(c.part, 'subtype')]} copies the table under ACCESS EXCLUSIVE.",
        )


@rule(
    "LG806",
    "lock-table",
    Severity.MEDIUM,
    "LOCK TABLE holds its lock until the transaction ends",
    on=("LockStmt",),
    hazard="Whatever comes next in the transaction runs while others wait.",
    instead="Let each statement take the lock that it needs.",
    rows=(79,),
)
def lock_table(c: Context) -> Iterator[Found]:
    tables = ", ".join(named(item.range_var) for item in c.node.relations)
    if c.node.mode >= 5 and not all(c.known.is_new(key(item.range_var)) for item in c.node.relations):
        yield c.found(
            f"Others wait for {tables} until the transaction ends.",
            "An explicit lock is held until then.",
            settled=True,
        )


RULES = (
    truncate,
    all_rows_at_once,
    backfill_in_migration,
    rewrite_by_maintenance,
    storage_change,
    lock_table,
)
