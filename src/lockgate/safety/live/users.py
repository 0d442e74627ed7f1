"""Who uses what a statement drops, renames or changes: by the catalog, and by the texts of functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.catalog.dependents import dependents
from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity
from lockgate.safety.live.told import told
from lockgate.safety.records import Column, Function, Relation, Use
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.ddl import ident
from lockgate.sql.tree import enum, strings
from lockgate.sql.words import words

_SHOWN = 10
_ROUTINES = ("OBJECT_FUNCTION", "OBJECT_PROCEDURE")
_RELATIONS = ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE")


def _targets(c: Context, db: Database) -> Iterator[tuple[Relation, Column | None]]:
    """What a statement takes away or gives another name: relations, and columns of them."""
    match c.statement.kind:
        case "DropStmt" if enum(c.node, "remove_type") in _RELATIONS:
            for names in ddl.objects(c.node):
                found = db.facts.relation(names[-2] if len(names) > 1 else "", names[-1])
                if found and not c.known.is_new(("" if found.schema == "public" else found.schema, found.name)):
                    yield found, None
        case "AlterTableStmt" if c.part.DESCRIPTOR.name == "AlterTableCmd":
            relation = db.relation(c)
            column = db.column(c, relation, c.part.name) if relation else None
            if relation and column:
                yield relation, column
        case "RenameStmt" | "AlterObjectSchemaStmt":
            relation = db.relation(c) if c.relation is not None else None
            if relation is None:
                return
            if c.statement.kind == "RenameStmt" and enum(c.node, "rename_type") == "OBJECT_COLUMN":
                column = db.column(c, relation, c.node.subname)
                if column:
                    yield relation, column
            elif c.statement.kind == "AlterObjectSchemaStmt" or enum(c.node, "rename_type") in _RELATIONS:
                yield relation, None


def _label(relation: Relation, column: Column | None) -> str:
    return f"{relation.label}.{ident(column.name)}" if column else relation.label


def bodies(c: Context, db: Database, relation: Relation, column: Column | None) -> list[Function]:
    """The functions in whose text it stands, and that the text that is examined does not make anew or drop."""
    triggers = {trigger.function for trigger in db.facts.triggers if trigger.relation == relation.oid}
    found = []
    for function in db.facts.functions.values():
        if not function.body or _remade(c, function):
            continue
        said = words(function.body)
        named = said.tell_of(relation.name) or (column is not None and function.oid in triggers)
        if named and (column is None or said.tell_of(column.name)):
            found.append(function)
    return found


def _remade(c: Context, function: Function) -> bool:
    for statement in c.subject.statements:
        if statement.kind == "CreateFunctionStmt" and strings(statement.node.funcname)[-1] == function.name:
            return True
        drops = statement.kind == "DropStmt" and enum(statement.node, "remove_type") in _ROUTINES
        if drops and any(names[-1] == function.name for names in ddl.objects(statement.node)):
            return True
    return False


def listed(names: Sequence[str]) -> str:
    """Names for people, the first of them if there are many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@told(
    "LG621",
    "breaks-function",
    Severity.HIGH,
    "A function names what is dropped or renamed",
    on=("DropStmt", "AT_DropColumn", "RenameStmt", "AlterObjectSchemaStmt"),
    hazard="The body of a function is a text that the server reads when it is called: nothing stops a DROP or a "
    "RENAME, and the next call fails with error 42P01 or 42703. A trigger's function fails each write of its table.",
    instead="Replace the function in the same transaction.",
    rows=(55, 56),
    looks="in whose bodies the name stands",
)
def breaks_function(c: Context, db: Database) -> Iterator[Found]:
    for relation, column in _targets(c, db):
        found = bodies(c, db, relation, column)
        if not found:
            continue
        names = [function.identity for function in found]
        firing = {t.function for t in db.facts.triggers}
        fails = "each write that fires them" if any(f.oid in firing for f in found) else "the next call"
        yield c.found(
            f"{listed(names)} {'names' if len(names) == 1 else 'name'} {_label(relation, column)}: {fails} may fail.",
            "The text of a function is read only when it runs, so that nothing stops this statement.",
            f"-- Replace in the same transaction: {listed(names)}",
        )


@told(
    "LG622",
    "drop-is-refused",
    Severity.HIGH,
    "Something depends on what is dropped",
    on=("DropStmt", "AT_DropColumn"),
    hazard="Without CASCADE the statement fails with error 2BP01 while a view, a policy, a trigger, a function or a "
    "foreign key of another table uses it.",
    instead="Drop or replace these first, each by name.",
    rows=(25, 54),
    looks="what depends on it",
)
def drop_is_refused(c: Context, db: Database) -> Iterator[Found]:
    if enum(c.part, "behavior") == "DROP_CASCADE":
        return
    targets = list(_targets(c, db))
    going = {relation.oid for relation, column in targets if column is None}
    for relation, column in targets:
        users = [use for use in _users(db, relation, column) if use.home not in going and not _gone(c, db, use)]
        names = list(dict.fromkeys(f"{use.kind} {use.name}" for use in users))
        if names:
            yield c.found(
                f"This fails: {_label(relation, column)} is used by {listed(names)}.",
                "PostgreSQL refuses to drop what something else depends on.",
            )


def _users(db: Database, relation: Relation, column: Column | None) -> Iterator[Use]:
    """What keeps a relation or a column from being dropped."""
    for use in db.facts.uses_of(relation.oid, column.number if column else None):
        if column is not None or (use.home != relation.oid and use.kind != "publication relation"):
            yield use
    for constraint in db.facts.references_to(relation.oid):
        if constraint.relation == relation.oid or (column and column.number not in constraint.referenced_columns):
            continue
        child = db.facts.relations.get(constraint.relation)
        name = f"{ident(constraint.name)} of {child.label if child else '?'}"
        yield Use("foreign key", name, constraint.relation, relation.oid, 0, 0)


def _gone(c: Context, db: Database, use: Use) -> bool:
    """Whether a statement before drops it."""
    home = db.facts.relations.get(use.home)
    name = use.name.split(" on ")[0].split(" of ")[0].split("(")[0].split(".")[-1].strip('"')
    for statement in c.subject.statements[: c.statement.index]:
        if statement.kind == "DropStmt":
            last = {names[-1] for names in ddl.objects(statement.node)}
            if name in last or (home is not None and home.name in last):
                return True
        elif statement.kind == "AlterTableStmt" and any(x.alter_table_cmd.name == name for x in statement.node.cmds):
            return True
    return False


def cascading(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """What CASCADE takes, one by one."""
    oids = [relation.oid for relation, column in _targets(c, db) if column is None]
    names = []
    if oids:
        with db.prober.looking():
            names = [f"{x.kind} {x.name}" for x in dependents(db.prober.conn, oids, texts=False).found]
    for relation, column in _targets(c, db):
        if column is not None:
            names += [f"{use.kind} {use.name}" for use in _users(db, relation, column)]
    names = list(dict.fromkeys(names))
    for one in found:
        if c.statement.kind == "DropStmt" and enum(c.node, "remove_type") not in _RELATIONS:
            yield one
        elif names:
            yield one._replace(what=f"CASCADE also takes {listed(names)}.")
        elif not list(_targets(c, db)):
            yield one
        else:
            why = "It takes nothing now, and will take whatever depends on it by then."
            yield one._replace(why=why, severity=Severity.LOW)


@told(
    "LG731",
    "replaced-function-is-stored",
    Severity.HIGH,
    "An index, a generated column or a CHECK rests on the function that is replaced",
    on=("CreateFunctionStmt",),
    hazard="What the old function computed is stored: entries of an index, values of a generated column, rows that a "
    "CHECK let in. After CREATE OR REPLACE queries by the index find wrong rows, without an error.",
    instead="Make a function of another name and an index on that; or REINDEX CONCURRENTLY right afterwards, and mend "
    "what was stored.",
    rows=(60,),
    looks="which indexes, generated columns and constraints call the function",
)
def replaced_function_is_stored(c: Context, db: Database) -> Iterator[Found]:
    if not c.node.replace:
        return
    *schema, name = strings(c.node.funcname)
    count = sum(
        enum(item.function_parameter, "mode") not in {"FUNC_PARAM_OUT", "FUNC_PARAM_TABLE"}
        for item in c.node.parameters
    )
    for function in db.facts.functions_named(schema[-1] if schema else "", name):
        if function.arguments != count or function.schema == "pg_catalog":
            continue
        uses = [use for use in db.facts.uses_of_function(function.oid) if use.kind != "function"]
        if not uses or (function.body is not None and function.body.strip() == _body(c).strip()):
            continue
        indexes = [use.name for use in uses if use.kind == "index"]
        names = list(dict.fromkeys(f"{use.kind} {use.name}" for use in uses))
        yield c.found(
            f"{listed(names)} {'keeps' if len(names) == 1 else 'keep'} what the old {function.identity} computed: "
            "queries may find wrong rows.",
            "Nothing is computed again when a function is replaced.",
            "\n".join(f"REINDEX INDEX CONCURRENTLY {index};" for index in dict.fromkeys(indexes)),
        )


def _body(c: Context) -> str:
    for option in c.node.options:
        if option.def_elem.defname == "as":
            return "".join(strings(option.def_elem.arg.list.items)[:1])
    return ""


RULES = (breaks_function, drop_is_refused, replaced_function_is_stored)
