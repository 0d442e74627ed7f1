"""LG2xx: adding columns to tables that are in use."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import (
    ALONE,
    add_constraint,
    column,
    column_without,
    constraints,
    fill,
    lines,
    name_for,
    not_null_steps,
    validate,
)
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key_of
from lockgate.safety.rule import Found, rule
from lockgate.safety.volatility import volatile
from lockgate.sql.ddl import ident, is_null, type_of
from lockgate.sql.tree import enum, strings

REWRITES = "The table and all of its indexes are rewritten under ACCESS EXCLUSIVE: nobody reads or writes meanwhile."
ADD = ("AT_AddColumn",)
SIZE = "how large the table is: an empty or a small one is rewritten at once"


SERIALS = {
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
}


@rule(
    "LG201",
    "volatile-default",
    Severity.HIGH,
    "A column with a volatile default rewrites the table",
    on=ADD,
    hazard="A constant default, or one such as now() that is evaluated once, is kept in the catalog since PostgreSQL "
    "11 and costs nothing. A volatile one is another value for each row: the table and its indexes are "
    "rewritten under ACCESS EXCLUSIVE.",
    instead="Add the column without a default, set the default, fill the old rows in batches.",
    rows=(7,),
    catalog="whether a function of the default is volatile, and " + SIZE,
)
def volatile_default(c: Context) -> Iterator[Found]:
    if c.is_new:
        return
    name = column(c).colname
    for default in constraints(column(c), "CONSTR_DEFAULT"):
        sure, unsure = volatile(default.raw_expr)
        if not sure and not unsure:
            continue
        required = bool(constraints(column(c), "CONSTR_NOTNULL"))
        text = c.expression(default.raw_expr)
        rewrite = lines(
            column_without(c, "CONSTR_DEFAULT", "CONSTR_NOTNULL"),
            f"ALTER TABLE {c.table} ALTER COLUMN {ident(name)} SET DEFAULT {text};",
            fill(c, name, text),
            not_null_steps(c, name) if required else (),
        )
        if sure:
            yield c.found(f"Adding {ident(name)} rewrites {c.table}: {sure}() is volatile.", REWRITES, rewrite)
        else:
            yield c.found(
                f"Adding {ident(name)} rewrites {c.table} if {unsure}() is volatile, as functions are by default.",
                REWRITES,
                rewrite,
                severity=Severity.MEDIUM,
            )


@rule(
    "LG206",
    "add-constrained-domain",
    Severity.HIGH,
    "A column of a domain with constraints rewrites the table",
    on=ADD,
    hazard="PostgreSQL does not know that the constraints of a domain hold for NULL or for the default, and rewrites "
    "the table and its indexes to test them, under ACCESS EXCLUSIVE.",
    instead="Add a column of the base type, and a CHECK that is NOT VALID first and validated later.",
    rows=(13,),
    catalog="whether the type is a domain, and whether it has constraints",
)
def add_constrained_domain(c: Context) -> Iterator[Found]:
    names = strings(column(c).type_name.names)
    if not c.is_new and c.known.types.get(key_of(names)) == "constrained":
        yield c.found(
            f"Adding {ident(column(c).colname)} rewrites {c.table}: its type is a domain with constraints.", REWRITES
        )


@rule(
    "LG207",
    "add-column-with-check",
    Severity.HIGH,
    "A column with a CHECK has the table scanned",
    on=ADD,
    hazard="ADD COLUMN ... CHECK tests each row that is there under ACCESS EXCLUSIVE, although all of them hold the "
    "same value.",
    instead="Add the column, then the CHECK as NOT VALID, then validate it in another transaction.",
    rows=(14,),
    catalog=SIZE,
)
def add_column_with_check(c: Context) -> Iterator[Found]:
    checks = constraints(column(c), "CONSTR_CHECK")
    if c.is_new or not checks:
        return
    name = column(c).colname
    parts = [column_without(c, "CONSTR_CHECK")]
    for number, check in enumerate(checks):
        label = check.conname or name_for(c, (name,), f"check{number or ''}")
        parts += [add_constraint(c, check, label, valid=False), validate(c, label)]
    yield c.found(
        f"All rows of {c.table} are read under ACCESS EXCLUSIVE to test the CHECK of {ident(name)}.",
        "A CHECK that comes with its column is validated at once.",
        lines(parts, "-- The last in a transaction of its own."),
    )


@rule(
    "LG208",
    "add-column-with-foreign-key",
    Severity.HIGH,
    "A column with REFERENCES locks both tables",
    on=ADD,
    hazard="ADD COLUMN ... REFERENCES takes ACCESS EXCLUSIVE on the table and SHARE ROW EXCLUSIVE on the other one, "
    "at once: it waits for the writers of both, with everybody else queueing behind. With a default all rows "
    "are tested meanwhile.",
    instead="Add the column, then the foreign key as NOT VALID, then validate it in another transaction.",
    rows=(15,),
    catalog="how busy the other table is",
)
def add_column_with_foreign_key(c: Context) -> Iterator[Found]:
    keys = constraints(column(c), "CONSTR_FOREIGN")
    if c.is_new or not keys:
        return
    name = column(c).colname
    parts = [column_without(c, "CONSTR_FOREIGN")]
    for constraint in keys:
        label = constraint.conname or name_for(c, (name,), "fkey")
        parts += [add_constraint(c, constraint, label, valid=False, columns=(name,)), validate(c, label)]
    yield c.found(
        f"{c.table} is locked for everybody while this waits for the writers of {c.referenced(keys[0])}.",
        "ACCESS EXCLUSIVE on the one and SHARE ROW EXCLUSIVE on the other are held together.",
        "" if c.known.is_partitioned(c.key) and c.major < 18 else lines(parts, "-- Each in a transaction of its own."),
    )


@rule(
    "LG209",
    "add-column-with-unique",
    Severity.HIGH,
    "A column with UNIQUE or PRIMARY KEY builds an index under ACCESS EXCLUSIVE",
    on=ADD,
    hazard="The index is built while nobody can read or write the table.",
    instead="Add the column, build a unique index concurrently, then make it the constraint with USING INDEX.",
    rows=(16,),
    catalog=SIZE,
)
def add_column_with_unique(c: Context) -> Iterator[Found]:
    keys = constraints(column(c), "CONSTR_UNIQUE", "CONSTR_PRIMARY")
    if c.is_new or not keys or c.known.is_partitioned(c.key):
        return  # LG409: a key of a partitioned table cannot be of a new column alone
    name = column(c).colname
    primary = enum(keys[0], "contype") == "CONSTR_PRIMARY"
    label = keys[0].conname or (name_for(c, (), "pkey") if primary else name_for(c, (name,), "key"))
    word = "PRIMARY KEY" if primary else "UNIQUE"
    rewrite = ""
    if not primary:
        rewrite = lines(
            column_without(c, "CONSTR_UNIQUE"),
            f"CREATE UNIQUE INDEX CONCURRENTLY {ident(label)} ON {c.table} ({ident(name)});",
            ALONE,
            f"ALTER TABLE {c.table} ADD CONSTRAINT {ident(label)} UNIQUE USING INDEX {ident(label)};",
        )
    yield c.found(
        f"The index of {word} on {ident(name)} is built while nobody can read or write {c.table}.",
        "ADD COLUMN holds ACCESS EXCLUSIVE until the whole table is indexed.",
        rewrite,
    )


_FILLED = ("CONSTR_DEFAULT", "CONSTR_GENERATED", "CONSTR_IDENTITY")


@rule(
    "LG210",
    "add-required-column",
    Severity.HIGH,
    "A NOT NULL column without a default fails on any row",
    on=ADD,
    hazard="The rows that are there would hold NULL: error 23502 on any table that is not empty. On an empty one the "
    "application fails that does not know the column yet.",
    instead="Add the column as nullable or with a default, fill it, then make it NOT NULL.",
    rows=(17,),
    data="whether the table has rows",
)
def add_required_column(c: Context) -> Iterator[Found]:
    definition = column(c)
    defaults = constraints(definition, *_FILLED)
    nothing = all(enum(d, "contype") == "CONSTR_DEFAULT" and is_null(d.raw_expr) for d in defaults)
    required = constraints(definition, "CONSTR_NOTNULL", "CONSTR_PRIMARY")
    if c.is_new or not required or not nothing or type_of(definition.type_name) in SERIALS:
        return
    name = definition.colname
    yield c.found(
        f"This fails if {c.table} has a row: {ident(name)} would be NULL in it.",
        "The column is NOT NULL and has no default (error 23502).",
        lines(
            column_without(c, "CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_DEFAULT"),
            f"-- Fill {ident(name)} in batches, and let the application write it, then:",
            not_null_steps(c, name),
        ),
    )


@rule(
    "LG211",
    "drop-not-null",
    Severity.LOW,
    "Readers may not expect NULL",
    on=("AT_DropNotNull",),
    hazard="Once the column may be NULL, each reader must know what to do with it; and a later SET NOT NULL has the "
    "table scanned again.",
    instead="See that every reader of the column takes NULL first.",
    rows=(80,),
)
def drop_not_null(c: Context) -> Iterator[Found]:
    if not c.is_new and c.subject.direction == "up":
        yield c.found(
            f"Programs that read {c.table}.{ident(c.part.name)} may not expect NULL.",
            "Until now the database promised that there is none.",
        )


RULES = (
    volatile_default,
    add_constrained_domain,
    add_column_with_check,
    add_column_with_foreign_key,
    add_column_with_unique,
    add_required_column,
    drop_not_null,
)
