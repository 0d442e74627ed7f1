"""LG2xx: adding columns whose values are counted or computed."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import beside, column, column_without, constraints, fill, lines, name_for, not_null_steps
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.rule import Found, rule
from lockgate.safety.rules.columns import ADD, REWRITES, SERIALS, SIZE
from lockgate.sql import tree
from lockgate.sql.ddl import ident, type_of


@rule(
    "LG202",
    "add-serial",
    Severity.HIGH,
    "A serial column rewrites the table",
    on=ADD,
    hazard="Each row that is there gets a number of its own: the table and its indexes are rewritten under ACCESS "
    "EXCLUSIVE.",
    instead="Add a plain column, give it a sequence as default, fill the old rows in batches.",
    rows=(9,),
    catalog=SIZE,
)
def add_serial(c: Context) -> Iterator[Found]:
    name = column(c).colname
    base = SERIALS.get(type_of(column(c).type_name))
    if base is None or c.is_new:
        return
    sequence = name_for(c, (name,), "seq")
    number = f"nextval({tree.literal(beside(c, sequence))})"
    yield c.found(
        f"Adding {ident(name)} rewrites {c.table}: each row that is there gets a number.",
        REWRITES,
        lines(
            f"CREATE SEQUENCE {beside(c, sequence)};",
            column_without(c, "CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_UNIQUE", type_name=base),
            f"ALTER SEQUENCE {beside(c, sequence)} OWNED BY {c.table}.{ident(name)};",
            f"ALTER TABLE {c.table} ALTER COLUMN {ident(name)} SET DEFAULT {number};",
            fill(c, name, number),
            not_null_steps(c, name),
        ),
    )


@rule(
    "LG203",
    "add-identity",
    Severity.HIGH,
    "An identity column rewrites the table",
    on=ADD,
    hazard="Each row that is there gets a number of its own: the table and its indexes are rewritten under ACCESS "
    "EXCLUSIVE.",
    instead="Add a plain column, number the rows in batches, and make it an identity column at the end.",
    rows=(10,),
    catalog=SIZE,
)
def add_identity(c: Context) -> Iterator[Found]:
    found = constraints(column(c), "CONSTR_IDENTITY")
    if not found or c.is_new:
        return
    name = column(c).colname
    filling = name_for(c, (name,), "fill")
    number = f"nextval({tree.literal(beside(c, filling))})"
    when = "ALWAYS" if found[0].generated_when == "a" else "BY DEFAULT"
    own = f"pg_get_serial_sequence({tree.literal(c.table)}, {tree.literal(name)})"
    yield c.found(
        f"Adding {ident(name)} rewrites {c.table}: each row that is there gets a number.",
        REWRITES,
        lines(
            f"CREATE SEQUENCE {beside(c, filling)};",
            column_without(c, "CONSTR_IDENTITY", "CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_UNIQUE"),
            f"ALTER TABLE {c.table} ALTER COLUMN {ident(name)} SET DEFAULT {number};",
            fill(c, name, number),
            not_null_steps(c, name),
            "BEGIN;",
            f"ALTER TABLE {c.table} ALTER COLUMN {ident(name)} DROP DEFAULT,\n"
            f"  ALTER COLUMN {ident(name)} ADD GENERATED {when} AS IDENTITY;",
            f"SELECT setval({own}, {number}, false);",
            "COMMIT;",
            f"DROP SEQUENCE {beside(c, filling)};",
        ),
    )


@rule(
    "LG204",
    "add-stored-generated",
    Severity.HIGH,
    "A stored generated column rewrites the table",
    on=ADD,
    hazard="The value of each row is computed and written: the table and its indexes are rewritten under ACCESS "
    "EXCLUSIVE.",
    instead="Add a plain column that a trigger keeps, and fill the old rows in batches. From PostgreSQL 18 on a "
    "VIRTUAL column costs nothing, where it needs no index.",
    rows=(11,),
    catalog=SIZE,
)
def add_stored_generated(c: Context) -> Iterator[Found]:
    for constraint in constraints(column(c), "CONSTR_GENERATED"):
        if c.is_new or constraint.generated_kind == "v":
            continue
        name = column(c).colname
        rewrite = ""
        if c.major >= 18:
            text = c.expression(constraint.raw_expr)
            rewrite = (
                f"ALTER TABLE {c.table} ADD COLUMN {ident(name)} {type_of(column(c).type_name)}\n"
                f"  GENERATED ALWAYS AS ({text}) VIRTUAL;\n"
                "-- It is computed when it is read. If it needs an index: a plain column, a trigger that keeps it,\n"
                "-- and the old rows filled in batches."
            )
        yield c.found(f"Adding {ident(name)} rewrites {c.table} to compute it for each row.", REWRITES, rewrite)


@rule(
    "LG205",
    "change-generated-expression",
    Severity.HIGH,
    "Another expression of a generated column rewrites the table",
    on=("AT_SetExpression",),
    hazard="ALTER COLUMN ... SET EXPRESSION computes a stored column anew for each row: the table and its indexes are "
    "rewritten under ACCESS EXCLUSIVE. A virtual column only changes what is read.",
    instead="Add a second column with the new expression, and let the application change over.",
    rows=(12,),
    catalog="whether the column is stored or virtual, and " + SIZE,
)
def change_generated_expression(c: Context) -> Iterator[Found]:
    if not c.is_new:
        yield c.found(
            f"Changing the expression of {ident(c.part.name)} rewrites {c.table} if the column is stored.", REWRITES
        )


RULES = (add_serial, add_identity, add_stored_generated, change_generated_expression)
