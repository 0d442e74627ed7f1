"""LG60x: dropping what may still be used."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key_of
from lockgate.safety.rule import Found, rule
from lockgate.sql.ddl import dotted, ident, objects
from lockgate.sql.tree import enum

_USE = "who still uses it: views, functions, policies, and the application"


def _dropped(c: Context, *kinds: str) -> Iterator[tuple[str, ...]]:
    """The names of what is dropped of these kinds, and was not made by the text itself."""
    kind = enum(c.node, "remove_type")
    if kind not in kinds:
        return
    for names in objects(c.node):
        name = key_of(names)
        if not (c.known.is_new(name) if kind == "OBJECT_TABLE" else (kind, name) in c.known.made):
            yield names


def _as_undo(c: Context) -> Severity | None:
    """A way down drops what its way up made: that is what it is for, and what was written since is lost with it."""
    return Severity.LOW if c.subject.direction == "down" else None


@rule(
    "LG601",
    "drop-column",
    Severity.HIGH,
    "DROP COLUMN loses its values, and breaks who still uses it",
    on=("AT_DropColumn",),
    hazard="The values are gone; so are the indexes, CHECKs and statistics that name the column, and its grants. A "
    "program that still names it fails at once, also one that lists all columns it once read, as ORMs do.",
    instead="First no program may name the column any more; then drop it, with lock_timeout, from a backup's shelter. "
    "Lockgate's `drop` step keeps what it drops.",
    rows=(52,),
    catalog=_USE + ", and what is dropped with it",
    data="whether it holds values",
)
def drop_column(c: Context) -> Iterator[Found]:
    if c.is_new:
        return
    yield c.found(
        f"The values of {c.table}.{ident(c.part.name)} are lost, and programs that still name it fail.",
        "Its indexes, CHECKs and grants go, too. Adding the column again brings none of it back.",
        severity=_as_undo(c),
    )


@rule(
    "LG602",
    "drop-table",
    Severity.HIGH,
    "DROP TABLE loses its rows, and breaks who still uses it",
    on=("DropStmt",),
    hazard="The rows are gone. A table with foreign keys is dropped under ACCESS EXCLUSIVE on the tables that it "
    "refers to, too: their readers wait.",
    instead="First nobody may use the table any more. Rename it, wait, keep a backup, then drop it. Lockgate's "
    "`archive` and `drop` steps do that.",
    rows=(48, 53),
    catalog=_USE + ", and which tables are locked with it",
    data="whether it holds rows",
)
def drop_table(c: Context) -> Iterator[Found]:
    for names in _dropped(c, "OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_MATVIEW"):
        yield c.found(
            f"All rows of {dotted(names)} are lost, and programs that still use it fail.",
            "DROP waits for everybody who reads it, and the tables that its foreign keys refer to are locked, too.",
            severity=_as_undo(c),
        )


@rule(
    "LG603",
    "drop-cascade",
    Severity.HIGH,
    "CASCADE drops what nobody listed",
    on=("DropStmt", "AT_DropColumn", "AT_DropConstraint", "DropOwnedStmt"),
    hazard="Views, foreign keys of other tables, functions, defaults, whatever depends on it is dropped without being "
    "named, each under ACCESS EXCLUSIVE.",
    instead="Leave CASCADE out: the error lists what depends on it. Drop these by name, one after the other.",
    rows=(54,),
    catalog="what depends on it",
)
def drop_cascade(c: Context) -> Iterator[Found]:
    if enum(c.part, "behavior") != "DROP_CASCADE" or (c.relation is not None and c.is_new):
        return
    if c.statement.kind == "DropStmt" and not any(_dropped(c, enum(c.node, "remove_type"))):
        return
    yield c.found(
        "Whatever depends on it is dropped, too, and this does not say what.",
        "CASCADE goes on through views, foreign keys, functions and defaults.",
    )


@rule(
    "LG604",
    "drop-schema",
    Severity.HIGH,
    "DROP SCHEMA, DROP DATABASE and DROP OWNED lose all that is in them",
    on=("DropStmt", "DropdbStmt", "DropOwnedStmt"),
    hazard="All tables in it are gone at once.",
    instead="Drop what is in it by name, each with its backup; then drop what is empty.",
    rows=(80,),
    catalog="what is in it",
)
def drop_schema(c: Context) -> Iterator[Found]:
    match c.statement.kind:
        case "DropdbStmt":
            yield c.found(f"The database {ident(c.node.dbname)} is gone with all that is in it.", "Nothing undoes it.")
        case "DropOwnedStmt":
            yield c.found("All that these roles own, and may do, is gone.", "DROP OWNED drops tables with their rows.")
        case _:
            for names in _dropped(c, "OBJECT_SCHEMA"):
                yield c.found(
                    f"The schema {dotted(names)} is gone, with CASCADE also all that is in it.",
                    "Tables are dropped with their rows.",
                    severity=None if enum(c.node, "behavior") == "DROP_CASCADE" else Severity.LOW,
                )


@rule(
    "LG605",
    "drop-view",
    Severity.MEDIUM,
    "A view that is dropped loses its grants, and breaks who reads it",
    on=("DropStmt",),
    hazard="A view that is dropped and created again has none of the grants, rules and comments that it had: programs "
    "fail with error 42501. Between both it is not there at all.",
    instead="CREATE OR REPLACE VIEW where columns are only added at its end; else grant again, in the same "
    "transaction.",
    rows=(58,),
    catalog="which grants and comments it has, and what depends on it",
)
def drop_view(c: Context) -> Iterator[Found]:
    for names in _dropped(c, "OBJECT_VIEW"):
        remade = any(
            later.kind == "ViewStmt" and key_of((later.node.view.schemaname, later.node.view.relname)) == key_of(names)
            for later in c.subject.statements[c.statement.index :]
        )
        if c.subject.direction == "down":
            continue
        yield c.found(
            f"{dotted(names)} loses its grants, rules and comments, although it is made again."
            if remade
            else f"Programs that read {dotted(names)} fail.",
            "A view that is created anew has only default privileges.",
        )


_CALLED = {
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_ROUTINE": "routine",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_EXTENSION": "extension",
}


@rule(
    "LG606",
    "drop-used-object",
    Severity.MEDIUM,
    "A function, type, sequence or extension that is dropped may still be called",
    on=("DropStmt",),
    hazard="PostgreSQL refuses to drop what tables and views depend on, but it does not look into the bodies of "
    "functions, nor into the application.",
    instead="See that nobody calls it first.",
    rows=(55,),
    catalog="in whose bodies its name stands",
)
def drop_used_object(c: Context) -> Iterator[Found]:
    if c.subject.direction == "down":
        return
    kind = enum(c.node, "remove_type")
    for names in _dropped(c, *_CALLED):
        yield c.found(
            f"Functions and programs that still use the {_CALLED[kind]} {dotted(names)} fail.",
            "PostgreSQL does not look into the bodies of functions.",
        )


RULES = (drop_column, drop_table, drop_cascade, drop_schema, drop_view, drop_used_object)
