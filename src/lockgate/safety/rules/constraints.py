"""LG4xx: constraints on tables that have rows."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import add_constraint, lines, name_for, not_null_steps, validate
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key
from lockgate.safety.rule import Found, rule
from lockgate.safety.subject import Statement
from lockgate.sql.ddl import ident, is_null
from lockgate.sql.tree import Node, enum, strings, unwrap, walk

SIZE = "how large the table is"


def added(c: Context) -> bool:
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
    catalog="whether a valid CHECK says already that there is no NULL, and " + SIZE,
    data="whether there is a NULL",
)
def set_not_null(c: Context) -> Iterator[Found]:
    if c.statement.kind == "AlterTableStmt" and c.part.DESCRIPTOR.name == "AlterTableCmd":
        name = c.part.name
    elif added(c) and not c.part.skip_validation:
        name = strings(c.part.keys)[0]
    else:
        return
    if c.is_new or proven(c, name):
        return
    yield c.found(
        f"{c.table} is read as a whole while nobody else can use it; one NULL in {ident(name)} makes it fail.",
        "SET NOT NULL tests each row under ACCESS EXCLUSIVE, unless a CHECK that is valid says that none is NULL.",
        lines(not_null_steps(c, name), "-- Each in a transaction of its own."),
        severity=Severity.LOW if _unknown_validated(c) else None,
    )


def _unknown_validated(c: Context, *names: str) -> bool:
    """Whether a statement before validates a constraint of which no text tells: most likely it is such a CHECK.

    :param names: the constraints that are meant; all, if none is named.
    """
    for statement in c.subject.statements[: c.statement.index]:
        if statement.kind == "AlterTableStmt" and key(statement.node.relation) == c.key:
            for item in statement.node.cmds:
                command = item.alter_table_cmd
                validates = enum(command, "subtype") == "AT_ValidateConstraint"
                if validates and command.name not in c.shape.bounds and command.name in (names or (command.name,)):
                    return True
    return False


def proven(c: Context, name: str) -> bool:
    known = c.shape.columns.get(name)
    if known is not None and known.not_null:
        return True
    return any(
        bound.valid and name in bound.columns
        for kind in ("CONSTR_CHECK", "CONSTR_NOTNULL", "CONSTR_PRIMARY")
        for bound in c.known.holds(c.key, kind)
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
    catalog=SIZE,
    data="whether rows fail the test: they would make VALIDATE fail, and each later UPDATE of such a row",
)
def add_check(c: Context) -> Iterator[Found]:
    if not added(c) or c.part.skip_validation:
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
    if bound is None and _unknown_validated(c, c.part.name):
        return True
    return any(
        added is not None and added.DESCRIPTOR.name == "Constraint" and added.conname == c.part.name
        for statement in c.subject.statements
        if statement.kind == "AlterTableStmt" and key(statement.node.relation) == c.key
        for added in (unwrap(getattr(item.alter_table_cmd, "def")) for item in statement.node.cmds)
    )


RULES = (
    set_not_null,
    add_check,
    never_false,
    validated_at_once,
    drop_constraint,
)
