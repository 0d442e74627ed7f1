"""LG71x to LG73x: enums, domains, views and functions."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key, key_of
from lockgate.safety.rule import Found, rule
from lockgate.sql import tree
from lockgate.sql.ddl import dotted, ident
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import enum, strings, walk


@rule(
    "LG711",
    "enum-value-used-at-once",
    Severity.HIGH,
    "A new enum value cannot be used in the transaction that adds it",
    on=("AlterEnumStmt",),
    hazard="ALTER TYPE ... ADD VALUE may run in a transaction, but the value can be used only after it has committed: "
    "error 55P04. Tools that put a transaction around a migration run into it.",
    instead="Commit after ADD VALUE: use the value in another migration.",
    rows=(63,),
)
def enum_value_used_at_once(c: Context) -> Iterator[Found]:
    if c.node.old_val or ("OBJECT_TYPE", key_of(strings(c.node.type_name))) in c.known.made:
        return
    for later in c.subject.together(c.statement):
        if later.index > c.statement.index and _says(later.node, c.node.new_val):
            yield c.found(
                f"This fails: a later statement uses the new value of {dotted(strings(c.node.type_name))} in the same "
                "transaction.",
                "A new value can be used only when it has been committed (error 55P04).",
                settled=True,
            )
            return


def _says(node: tree.Node, value: str) -> bool:
    for inner in walk(node):
        if inner.DESCRIPTOR.name == "A_Const" and inner.WhichOneof("val") == "sval" and inner.sval.sval == value:
            return True
    return False


@rule(
    "LG712",
    "enum-value-order",
    Severity.LOW,
    "A new enum value sorts last",
    on=("AlterEnumStmt",),
    hazard="Values of an enum sort in the order in which they were added, unless BEFORE or AFTER says another one; "
    "that cannot be changed later. A value cannot be taken away either.",
    instead="Say BEFORE or AFTER which value it stands.",
    rows=(64,),
)
def enum_value_order(c: Context) -> Iterator[Found]:
    if not c.node.old_val and not c.node.new_val_neighbor:
        yield c.found(
            f"The new value of {dotted(strings(c.node.type_name))} sorts last, and stays for good.",
            "Neither BEFORE nor AFTER is said, and no value of an enum can be moved or dropped.",
            settled=True,
        )


@rule(
    "LG713",
    "domain-constraint",
    Severity.HIGH,
    "A constraint of a domain reads each table that uses it",
    on=("AlterDomainStmt",),
    hazard="SHARE is taken on each table with a column of the domain, and all of its rows are read: writers of all of "
    "them wait. NOT VALID takes no lock on tables.",
    instead="ADD CONSTRAINT ... NOT VALID, then ALTER DOMAIN ... VALIDATE CONSTRAINT in another transaction.",
    rows=(65,),
    catalog="which tables use the domain",
    data="whether values fail the constraint",
)
def domain_constraint(c: Context) -> Iterator[Found]:
    name = key_of(strings(c.node.type_name))
    if ("OBJECT_DOMAIN", name) in c.known.made:
        return
    definition = getattr(c.node, "def")
    if c.node.subtype == "O":
        yield c.found(
            f"Writers of each table that uses {dotted(strings(c.node.type_name))} wait while its rows are read.",
            "SET NOT NULL of a domain tests each value.",
        )
    elif c.node.subtype == "C" and definition.HasField("constraint") and not definition.constraint.skip_validation:
        copy = type(c.node)()
        copy.CopyFrom(c.node)
        made = getattr(copy, "def").constraint
        made.conname = made.conname or f"{name[1]}_check"[:63]
        made.skip_validation, made.initially_valid = True, False
        domain = dotted(strings(c.node.type_name))
        yield c.found(
            f"Writers of each table that uses {domain} wait while its rows are read.",
            "SHARE is held on all of them until each value is tested.",
            f"{c.sql(copy)}\nALTER DOMAIN {domain} VALIDATE CONSTRAINT {ident(made.conname)};"
            "\n-- Each in a transaction of its own.",
        )


@rule(
    "LG721",
    "blocking-refresh",
    Severity.HIGH,
    "REFRESH MATERIALIZED VIEW blocks its readers",
    on=("RefreshMatViewStmt",),
    hazard="ACCESS EXCLUSIVE is held on the view while its query runs. With CONCURRENTLY readers go on; that needs a "
    "unique index on plain columns over all rows (error 55000 otherwise), and a view that has been filled.",
    instead="Make a unique index on the view, then REFRESH MATERIALIZED VIEW CONCURRENTLY.",
    rows=(73,),
    catalog="whether the view has a unique index",
)
def blocking_refresh(c: Context) -> Iterator[Found]:
    made = ("OBJECT_MATVIEW", key(c.node.relation)) in c.known.made
    if c.node.concurrent or c.node.skip_data or made:
        return
    yield c.found(
        f"Readers of {named(c.node.relation)} wait until its query has run.",
        "REFRESH holds ACCESS EXCLUSIVE on the view.",
        f"REFRESH MATERIALIZED VIEW CONCURRENTLY {named(c.node.relation)};\n-- It needs a unique index on the view.",
    )


@rule(
    "LG722",
    "definer-without-search-path",
    Severity.MEDIUM,
    "A SECURITY DEFINER function without search_path can be made to run other code",
    on=("CreateFunctionStmt", "AlterFunctionStmt"),
    hazard="Names in it are looked up by the caller's search_path, with the owner's rights: who may create a function "
    "or a table anywhere can put its own in front.",
    instead="SET search_path = pg_catalog, pg_temp at the function, and qualify each name in it.",
    rows=(80,),
)
def definer_without_search_path(c: Context) -> Iterator[Found]:
    made = c.statement.kind == "CreateFunctionStmt"
    name = strings(c.node.funcname if made else c.node.func.objname)
    given = [item.def_elem for item in (c.node.options if made else c.node.actions)]
    definer = {item.defname: item for item in given}.get("security")
    if definer is None or not definer.arg.boolean.boolval or (made and c.node.HasField("sql_body")):
        return
    if not any(item.defname == "set" and item.arg.variable_set_stmt.name == "search_path" for item in given):
        yield c.found(
            f"{dotted(name)}() runs with its owner's rights what the caller's path leads to.",
            "It is SECURITY DEFINER and pins no search_path.",
            settled=True,
        )


@rule(
    "LG723",
    "opaque-code",
    Severity.LOW,
    "What a DO block does was not looked at",
    on=("DoStmt",),
    hazard="The statements in a block of code are text to PostgreSQL until they run, and may be put together from "
    "values. Hazards in them are not found here.",
    instead="Write the statements themselves where no condition is needed.",
    rows=(80,),
)
def opaque_code(c: Context) -> Iterator[Found]:
    code = next((item.def_elem.arg.string.sval for item in c.node.args if item.def_elem.defname == "as"), "")
    words = [word for word in _CHANGES if word in f" {' '.join(code.lower().split())} "]
    if words:
        yield c.found(
            f"The block of code holds {', '.join(word.strip().upper() for word in words)}, and was not looked into.",
            "What it runs is decided when it runs.",
        )


_CHANGES = (" alter ", " drop ", " create ", " truncate ", " execute ", " update ", " delete ", " insert ", " reindex ")


@rule(
    "LG724",
    "add-attribute",
    Severity.MEDIUM,
    "Changing a composite type with CASCADE changes the tables that are made of it",
    on=("AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType"),
    hazard="ALTER TYPE ... CASCADE alters each typed table, under ACCESS EXCLUSIVE, and may rewrite it.",
    instead="Look which tables are OF the type first.",
    rows=(80,),
    catalog="which tables are of the type",
)
def add_attribute(c: Context) -> Iterator[Found]:
    if enum(c.node, "objtype") == "OBJECT_TYPE" and enum(c.part, "behavior") == "DROP_CASCADE":
        yield c.found(f"Each table that is of the type {c.table} is altered, too.", "CASCADE does not say which.")


RULES = (
    enum_value_used_at_once,
    enum_value_order,
    domain_constraint,
    blocking_refresh,
    definer_without_search_path,
    opaque_code,
    add_attribute,
)
