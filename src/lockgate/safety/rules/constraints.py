"""LG4xx: constraints on tables that have rows."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import ALONE, add_constraint, lines, name_for, not_null_steps, validate
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key
from lockgate.safety.rule import Found, rule
from lockgate.safety.subject import Statement
from lockgate.sql.ddl import enum, ident, is_null, strings
from lockgate.sql.tree import Node, unwrap, walk

_SIZE = "how large the table is"


def _kind(c: Context) -> str:
    return enum(c.part, "contype")


def _added(c: Context) -> bool:
    """Whether a constraint is added by itself to a table that was there before."""
    return c.adds and c.column is None and not c.is_new


@rule(
    "LG401",
    "set-not-null",
    Severity.HIGH,
    "SET NOT NULL reads the whole table under ACCESS EXCLUSIVE",
    on=("AT_SetNotNull", "CONSTR_NOTNULL"),
    hazard="All rows are read while nobody can read or write the table, unless a valid CHECK says already that the "
    "column is not null. A NULL that is there makes it fail with error 23502.",
    instead="Add the condition as NOT VALID, validate it under a weak lock, then SET NOT NULL reads nothing.",
    rows=(28,),
    catalog="whether a valid CHECK says already that there is no NULL, and " + _SIZE,
    data="whether there is a NULL",
)
def set_not_null(c: Context) -> Iterator[Found]:
    if c.statement.kind == "AlterTableStmt" and c.part.DESCRIPTOR.name == "AlterTableCmd":
        name = c.part.name
    elif _added(c) and not c.part.skip_validation:
        name = strings(c.part.keys)[0]
    else:
        return
    if c.is_new or _proven(c, name):
        return
    yield c.found(
        f"{c.table} is read as a whole while nobody else can use it; one NULL in {ident(name)} makes it fail.",
        "SET NOT NULL tests each row under ACCESS EXCLUSIVE.",
        lines(not_null_steps(c, name), "-- Each in a transaction of its own."),
    )


def _proven(c: Context, name: str) -> bool:
    known = c.shape.columns.get(name)
    if known is not None and known.not_null:
        return True
    return any(
        bound.valid and name in bound.columns
        for kind in ("CONSTR_CHECK", "CONSTR_NOTNULL", "CONSTR_PRIMARY")
        for bound in c.known.holds(c.key, kind)
    )


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
    catalog=_SIZE,
    data="whether rows are equal in the columns, or NULL",
)
def add_primary_key(c: Context) -> Iterator[Found]:
    if _added(c) and not c.part.indexname:
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
    catalog=_SIZE,
    data="whether rows are equal in the columns",
)
def add_unique(c: Context) -> Iterator[Found]:
    if _added(c) and not c.part.indexname:
        yield c.found(
            f"The index of the constraint is built while nobody can read or write {c.table}.",
            "ADD UNIQUE holds ACCESS EXCLUSIVE until the whole table is indexed.",
            _by_index(c),
        )


def _by_index(c: Context) -> str:
    """A concurrent index that becomes the constraint; not for what an index cannot say, nor a partitioned table."""
    node = c.part
    if node.without_overlaps or c.known.is_partitioned(c.key):
        return ""
    columns = strings(node.keys)
    primary = _kind(c) == "CONSTR_PRIMARY"
    label = ident(node.conname or (name_for(c, (), "pkey") if primary else name_for(c, columns, "key")))
    listed = ", ".join(ident(name) for name in columns)
    more = f" INCLUDE ({', '.join(ident(name) for name in strings(node.including))})" if node.including else ""
    nulls = " NULLS NOT DISTINCT" if node.nulls_not_distinct else ""
    late = " DEFERRABLE" if node.deferrable else ""
    late += " INITIALLY DEFERRED" if node.initdeferred else ""
    word = "PRIMARY KEY" if primary else "UNIQUE"
    first = [step for name in columns if not _proven(c, name) for step in not_null_steps(c, name)] if primary else []
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
    if not _added(c) or not c.part.indexname:
        return
    columns = c.shape.indexes.get(c.part.indexname, ())
    open_ = [name for name in columns if name in c.shape.columns and not _proven(c, name)]
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
    catalog=_SIZE + ", and whether the operator classes are there (for plain types: the extension btree_gist)",
    data="whether rows exclude each other",
)
def add_exclusion(c: Context) -> Iterator[Found]:
    if _added(c):
        yield c.found(
            f"The index of the constraint is built while nobody can read or write {c.table}.",
            "An exclusion constraint cannot be added as NOT VALID, nor be made of an index.",
        )


@rule(
    "LG406",
    "add-check",
    Severity.HIGH,
    "ADD CHECK reads the whole table under ACCESS EXCLUSIVE",
    on=("CONSTR_CHECK",),
    hazard="All rows are tested while nobody can read or write the table; one that fails the test makes it fail.",
    instead="Add it as NOT VALID, then VALIDATE it in another transaction: that lets others read and write.",
    rows=(37,),
    catalog=_SIZE,
    data="whether rows fail the test: they would make VALIDATE fail, and each later UPDATE of such a row",
)
def add_check(c: Context) -> Iterator[Found]:
    if not _added(c) or c.part.skip_validation:
        return
    label = c.part.conname or name_for(c, _only_column(c.part.raw_expr), "check")
    yield c.found(
        f"{c.table} is read as a whole while nobody else can read or write it.",
        "ADD CHECK tests each row under ACCESS EXCLUSIVE.",
        lines(
            add_constraint(c, c.part, label, valid=False), validate(c, label), "-- Each in a transaction of its own."
        ),
    )


def _only_column(expression: Node) -> tuple[str, ...]:
    """The column that PostgreSQL names a CHECK after: there must be one only."""
    names = {strings(node.fields)[-1:] for node in walk(expression) if node.DESCRIPTOR.name == "ColumnRef"}
    return names.pop() if len(names) == 1 else ()


@rule(
    "LG407",
    "never-false",
    Severity.HIGH,
    "A comparison with NULL decides nothing",
    on=("CONSTR_CHECK", "UpdateStmt", "DeleteStmt", "SelectStmt", "CreateDomainStmt", "AlterDomainStmt", "ViewStmt"),
    hazard="x = NULL and x <> NULL are never true and never false, and x IN (1, NULL) is never false. A CHECK that is "
    "not false holds: such a constraint takes every value. In WHERE such a comparison finds nothing.",
    instead="Write IS NULL or IS NOT NULL, and leave NULL out of the list.",
)
def never_false(c: Context) -> Iterator[Found]:
    if c.part.DESCRIPTOR.name == "Constraint":
        if why := _undecided(c.part.raw_expr):
            yield c.found("This CHECK can never fail: it takes every value.", why, settled=True)
        return
    if c.statement.kind in {"CreateDomainStmt", "AlterDomainStmt"}:
        for node in walk(c.node):
            if (
                node.DESCRIPTOR.name == "Constraint"
                and node.HasField("raw_expr")
                and (why := _undecided(node.raw_expr))
            ):
                yield c.found("This CHECK can never fail: it takes every value.", why, settled=True)
        return
    if " null" not in c.statement.text.lower():
        return
    for node in walk(c.node):
        if node.DESCRIPTOR.name == "A_Expr" and (why := _with_null(node)):
            yield c.found("A comparison in this statement is never true.", why, severity=Severity.MEDIUM, settled=True)
            return


_COMPARES = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})


def _undecided(expression: Node) -> str:
    """Why a CHECK of this condition cannot be false; empty if it can be."""
    node = unwrap(expression)
    if node is None:
        return ""
    if node.DESCRIPTOR.name == "A_Expr":
        return _with_null(node) or _list_with_null(node)
    if node.DESCRIPTOR.name == "BoolExpr" and enum(node, "boolop") != "NOT_EXPR":
        reasons = [_undecided(part) for part in node.args]
        # One part that can be false makes AND false; OR needs all of them.
        wanted = all(reasons) if enum(node, "boolop") == "AND_EXPR" else any(reasons)
        return next((reason for reason in reasons if reason), "") if wanted else ""
    return ""


def _with_null(node: Node) -> str:
    if enum(node, "kind") != "AEXPR_OP" or strings(node.name)[-1] not in _COMPARES:
        return ""
    if is_null(node.lexpr) or is_null(node.rexpr):
        return f"A comparison with NULL ({strings(node.name)[-1]}) is neither true nor false: write IS [NOT] NULL."
    return ""


def _list_with_null(node: Node) -> str:
    if enum(node, "kind") != "AEXPR_IN" or strings(node.name)[-1] != "=":
        return ""
    inner = unwrap(node.rexpr)
    if inner.DESCRIPTOR.name == "List" and any(is_null(item) for item in inner.items):
        return "IN with a NULL in the list is true or unknown, never false: leave NULL out of the list."
    return ""


@rule(
    "LG408",
    "validated-at-once",
    Severity.HIGH,
    "NOT VALID and VALIDATE in one transaction gain nothing",
    on=("AT_ValidateConstraint",),
    hazard="ADD ... NOT VALID takes its strong lock until the transaction ends. If VALIDATE runs in the same "
    "transaction, all rows are read under that lock, as without NOT VALID.",
    instead="Commit after NOT VALID, and validate in another transaction, or another migration.",
    rows=(50,),
)
def validated_at_once(c: Context) -> Iterator[Found]:
    if c.is_new:
        return
    for earlier in c.subject.together(c.statement):
        if earlier.index <= c.statement.index and _adds_unproven(earlier, c.part.name, c):
            yield c.found(
                f"{c.table} is read as a whole under the strong lock that adding {ident(c.part.name)} took.",
                "Both run in one transaction, and locks are held until it ends.",
                settled=True,
            )
            return


def _adds_unproven(statement: Statement, name: str, c: Context) -> bool:
    if statement.kind != "AlterTableStmt" or key(statement.node.relation) != c.key:
        return False
    for item in statement.node.cmds:
        added = unwrap(getattr(item.alter_table_cmd, "def"))
        if added is None or added.DESCRIPTOR.name != "Constraint":
            continue
        if added.skip_validation and added.conname == name:
            return True
    return False


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


@rule(
    "LG410",
    "drop-constraint",
    Severity.LOW,
    "Nothing keeps what the constraint kept",
    on=("AT_DropConstraint",),
    hazard="From then on rows may be written that the constraint refused, and adding it again has the table scanned. "
    "Dropping a foreign key takes ACCESS EXCLUSIVE on the other table, too; dropping a primary key takes away "
    "what replication and foreign keys go by.",
    instead="Say who keeps the rule from then on; set lock_timeout.",
    rows=(48, 77),
    catalog="what kind of constraint it is, and which tables are locked with it",
)
def drop_constraint(c: Context) -> Iterator[Found]:
    if c.is_new or c.subject.direction == "down" or _a_bridge(c):
        return
    yield c.found(
        f"Rows may be written to {c.table} that {ident(c.part.name)} refused until now.",
        "Dropping it takes ACCESS EXCLUSIVE, on a foreign key's other table, too.",
    )


def _a_bridge(c: Context) -> bool:
    """Whether it is a CHECK that only helped SET NOT NULL, or is made anew right away."""
    bound = c.shape.bounds.get(c.part.name)
    if bound is not None and bound.kind == "CONSTR_CHECK" and bound.columns:
        return True
    return any(
        added is not None and added.DESCRIPTOR.name == "Constraint" and added.conname == c.part.name
        for statement in c.subject.statements
        if statement.kind == "AlterTableStmt" and key(statement.node.relation) == c.key
        for added in (unwrap(getattr(item.alter_table_cmd, "def")) for item in statement.node.cmds)
    )


RULES = (
    set_not_null,
    add_primary_key,
    add_unique,
    primary_key_over_nullable,
    add_exclusion,
    add_check,
    never_false,
    validated_at_once,
    key_without_partition_key,
    drop_constraint,
)
