"""LG5xx: foreign keys, which concern two tables."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import add_constraint, lines, name_for, validate
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import Table, key
from lockgate.safety.rule import TEXT_END, Found, rule
from lockgate.safety.subject import Statement
from lockgate.sql.ddl import ident, type_of
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import Node, strings, unwrap

_FOREIGN = ("CONSTR_FOREIGN",)


def _columns(c: Context) -> tuple[str, ...]:
    return (c.column.colname,) if c.column is not None else strings(c.part.fk_attrs)


@rule(
    "LG501",
    "add-foreign-key",
    Severity.HIGH,
    "ADD FOREIGN KEY blocks the writers of both tables while it tests all rows",
    on=("CONSTR_FOREIGN", "AT_AlterConstraint"),
    hazard="SHARE ROW EXCLUSIVE is held on both tables while each row is looked up in the other one. Writers of both "
    "wait. A row without its parent makes it fail with error 23503.",
    instead="Add it as NOT VALID, then VALIDATE it in another transaction: that lets others read and write.",
    rows=(40,),
    catalog="how large the tables are, and whether the types and the key that it refers to fit",
    data="whether there are rows without a parent",
)
def add_foreign_key(c: Context) -> Iterator[Found]:
    if c.part.DESCRIPTOR.name == "AlterTableCmd":
        changed = getattr(c.part, "def").atalter_constraint
        if changed.alter_enforceability and changed.is_enforced and not c.is_new:
            yield c.found(
                f"Writes to {c.table} and to the other table wait until each row has been tested.",
                "ENFORCED tests all rows as ADD FOREIGN KEY does.",
                "-- Add a second one as NOT VALID, validate it, then drop this one, each in a transaction of its own.",
            )
        return
    if not (c.adds and c.column is None) or c.is_new or c.part.skip_validation:
        return
    if c.known.is_partitioned(c.key) and c.major < 18:
        return  # LG506: it cannot be NOT VALID there
    label = c.part.conname or name_for(c, _columns(c), "fkey")
    yield c.found(
        f"Writes to {c.table} and to {c.referenced(c.part)} wait until each row has been tested.",
        "ADD FOREIGN KEY holds SHARE ROW EXCLUSIVE on both tables while it looks each row up.",
        lines(
            add_constraint(c, c.part, label, valid=False), validate(c, label), "-- Each in a transaction of its own."
        ),
    )


@rule(
    "LG502",
    "foreign-key-types",
    Severity.HIGH,
    "The columns of a foreign key have other types than what it refers to",
    on=_FOREIGN,
    hazard="Types without a common = make it fail with error 42804. Whole numbers of two sizes work, until a value of "
    "the larger type does not fit the smaller one.",
    instead="Give the column the type of the one that it refers to.",
    rows=(42, 43),
    catalog="which types the columns have",
)
def foreign_key_types(c: Context) -> Iterator[Found]:
    other = c.known.tables.get(key(c.part.pktable))
    theirs = _referenced_columns(c, other)
    for mine, their in zip(_columns(c), theirs, strict=False):
        here, there = _type_here(c, mine), _type_there(c, other, their)
        if not here or not there or here == there or {_base(here), _base(there)} <= _TEXTS:
            continue
        if {here, there} <= _NUMBERS:
            yield c.found(
                f"{ident(mine)} is {here}, and what it refers to is {there}.",
                "It works until a value does not fit the smaller of the two types.",
                severity=Severity.MEDIUM,
                settled=True,
            )
        elif here in _SIMPLE and there in _SIMPLE:
            yield c.found(
                f"This fails: {ident(mine)} is {here}, and what it refers to is {there}.",
                "A foreign key needs an = between both types (error 42804).",
                settled=True,
            )


_NUMBERS = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying", "character", "citext"}
_SIMPLE = _NUMBERS | _TEXTS | {"uuid", "date", "boolean", "bytea", "inet", "jsonb"}
_SERIALS = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}


def _base(name: str) -> str:
    name = name.partition("(")[0]
    return _SERIALS.get(name, name)


def _referenced_columns(c: Context, other: Table | None) -> tuple[str, ...]:
    """Named, or those of the primary key."""
    if c.part.pk_attrs:
        return strings(c.part.pk_attrs)
    bounds = other.bounds.values() if other is not None else ()
    return next((bound.columns for bound in bounds if bound.kind == "CONSTR_PRIMARY"), ())


def _type_here(c: Context, name: str) -> str:
    for element in c.node.table_elts if c.statement.kind == "CreateStmt" else ():
        column = unwrap(element)
        if column.DESCRIPTOR.name == "ColumnDef" and column.colname == name:
            return _base(type_of(column.type_name))
    if c.column is not None and c.column.colname == name:
        return _base(type_of(c.column.type_name))
    known = c.known.column(c.key, name)
    return _base(known.type) if known else ""


def _type_there(c: Context, other: Table | None, name: str) -> str:
    if key(c.part.pktable) == c.key and (own := _type_here(c, name)):
        return own
    column = other.columns.get(name) if other is not None else None
    return _base(column.type) if column else ""


@rule(
    "LG503",
    "foreign-key-without-index",
    Severity.LOW,
    "No index on the columns of a foreign key",
    on=(TEXT_END,),
    hazard="Each DELETE, and each UPDATE of the key, of the other table looks for rows that refer to it: without an "
    "index all rows are read each time, under a lock.",
    instead="Build an index on the columns, concurrently where the table has rows, before the foreign key.",
    rows=(45,),
    catalog="whether an index begins with the columns",
)
def foreign_key_without_index(c: Context) -> Iterator[Found]:
    for (schema, name), table in c.known.new.items():
        if not table.whole:
            continue
        for bound in table.bounds.values():
            if bound.kind == "CONSTR_FOREIGN" and not any(
                set(columns[: len(bound.columns)]) == set(bound.columns) for columns in table.indexes.values()
            ):
                shown = ", ".join(map(ident, bound.columns))
                yield c.found(
                    f"No index of {ident(name)} begins with {shown}, which refers to another table.",
                    f"Deleting there reads all of {ident(name)} each time.",
                    f"CREATE INDEX ON {f'{ident(schema)}.' if schema else ''}{ident(name)} ({shown});",
                    settled=True,
                )


@rule(
    "LG504",
    "several-foreign-keys",
    Severity.MEDIUM,
    "Several foreign keys in one transaction lock several other tables",
    on=(TEXT_END,),
    hazard="Each one takes SHARE ROW EXCLUSIVE on its other table and holds it until the transaction ends: writers of "
    "all of them wait, and the locks are taken in an order that may deadlock with the application's.",
    instead="Add one foreign key in each transaction.",
    rows=(46,),
)
def several_foreign_keys(c: Context) -> Iterator[Found]:
    blocks: dict[int, dict[str, None]] = {}
    for number, parent in _locked_parents(c):
        blocks.setdefault(number, {})[parent] = None
    for parents in blocks.values():
        if len(parents) > 1:
            yield c.found(
                f"Writers of {', '.join(parents)} wait until the whole transaction has ended.",
                "Its foreign keys lock all of them in one transaction, in an order that may deadlock.",
                settled=True,
            )


def _locked_parents(c: Context) -> Iterator[tuple[int, str]]:
    """The tables that foreign keys lock, with the transaction: those that the text did not make itself."""
    for statement in c.subject.statements:
        own = statement.index + 1_000_000 if statement.block is None else statement.block
        for constraint in _constraints(statement):
            if constraint.HasField("pktable") and not c.known.is_new(key(constraint.pktable)):
                yield own, named(constraint.pktable)


def _constraints(statement: Statement) -> Iterator[Node]:
    match statement.kind:
        case "CreateStmt":
            elements = list(statement.node.table_elts)
        case "AlterTableStmt":
            elements = [getattr(item.alter_table_cmd, "def") for item in statement.node.cmds]
        case _:
            return
    for element in elements:
        inner = unwrap(element)
        if inner is None:
            continue
        if inner.DESCRIPTOR.name == "ColumnDef":
            yield from (item.constraint for item in inner.constraints)
        elif inner.DESCRIPTOR.name == "Constraint":
            yield inner


@rule(
    "LG505",
    "new-table-with-foreign-key",
    Severity.MEDIUM,
    "CREATE TABLE ... REFERENCES locks the other table",
    on=_FOREIGN,
    hazard="The new table is empty, yet SHARE ROW EXCLUSIVE is taken on the one that it refers to: it waits for every "
    "transaction that has written there, and all later writers queue behind it.",
    instead="Set lock_timeout and try again, or add the foreign key by itself, as the last thing of its transaction.",
    rows=(47,),
    catalog="how busy the other table is",
)
def new_table_with_foreign_key(c: Context) -> Iterator[Found]:
    new = c.statement.kind == "CreateStmt" or (c.adds and c.known.is_new(c.key) and c.column is None)
    if not new or key(c.part.pktable) == c.key or c.known.is_new(key(c.part.pktable)):
        return
    parent = c.referenced(c.part)
    yield c.found(
        f"Writers of {parent} wait while this waits for those that are under way.",
        f"A foreign key takes SHARE ROW EXCLUSIVE on {parent}, though the new table is empty.",
    )


@rule(
    "LG506",
    "foreign-key-of-partitioned",
    Severity.HIGH,
    "Before PostgreSQL 18 a foreign key of a partitioned table cannot be NOT VALID",
    on=_FOREIGN,
    hazard="ADD FOREIGN KEY ... NOT VALID fails on a partitioned table before PostgreSQL 18, and without NOT VALID "
    "all partitions and the other table are locked while each row is tested.",
    instead="Add it to each partition as NOT VALID, validate it there, then add it to the parent, which takes them "
    "over.",
    rows=(71,),
    catalog="whether the table is partitioned",
)
def foreign_key_of_partitioned(c: Context) -> Iterator[Found]:
    if not c.adds or c.major >= 18 or not c.known.is_partitioned(c.key) or c.is_new:
        return
    if c.part.skip_validation:
        yield c.found(
            f"This fails: a foreign key of {c.table}, which is partitioned, cannot be NOT VALID.",
            f"PostgreSQL {c.major} refuses it; 18 takes it.",
        )
    else:
        yield c.found(
            f"Writes to {c.table} and to {c.referenced(c.part)} wait until each row of all partitions has been tested.",
            f"On a partitioned table it cannot be NOT VALID in PostgreSQL {c.major}.",
        )


@rule(
    "LG507",
    "cascading-foreign-key",
    Severity.LOW,
    "One DELETE may delete much more",
    on=_FOREIGN,
    hazard="ON DELETE CASCADE deletes any number of rows of other tables, in the same transaction, without a word. A "
    "slip in one table empties others.",
    instead="See that it is meant. With NO ACTION a DELETE that would take more with it fails.",
    rows=(49,),
)
def cascading_foreign_key(c: Context) -> Iterator[Found]:
    if c.part.fk_del_action != "c":
        return
    yield c.found(
        f"Deleting from {c.referenced(c.part)} deletes from {c.table} as well.",
        "ON DELETE CASCADE goes on through any number of tables.",
        settled=True,
    )


RULES = (
    add_foreign_key,
    foreign_key_types,
    foreign_key_without_index,
    several_foreign_keys,
    new_table_with_foreign_key,
    foreign_key_of_partitioned,
    cascading_foreign_key,
)
