"""LG65x: names that programs go by."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import beside
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key_of
from lockgate.safety.rule import Found, rule
from lockgate.sql.ddl import dotted, ident
from lockgate.sql.tree import enum, strings

_RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_USE = "which functions, views and policies name it"


def _swaps(c: Context) -> bool:
    """Whether the same transaction puts something else in place of the name."""
    old = c.node.subname if enum(c.node, "rename_type") == "OBJECT_COLUMN" else c.node.relation.relname
    for other in c.subject.together(c.statement):
        if other.kind == "RenameStmt" and other.node.newname == old:
            return True
        if other.kind == "ViewStmt" and other.node.view.relname == old:
            return True
    return False


@rule(
    "LG651",
    "rename-column",
    Severity.HIGH,
    "Programs that know a column by its old name fail",
    on=("RenameStmt",),
    hazard="From the moment it commits each statement with the old name fails. Programs of the old and of the new "
    "version cannot work at the same time. Bodies of functions keep the old name.",
    instead="Add a column of the new name, keep both in step, change the programs, then drop the old one.",
    rows=(56,),
    catalog=_USE,
)
def rename_column(c: Context) -> Iterator[Found]:
    if enum(c.node, "rename_type") == "OBJECT_COLUMN" and not c.is_new and not _swaps(c):
        yield c.found(
            f"Programs that know {c.table}.{ident(c.node.subname)} by this name fail at once.",
            "The old name is gone when it commits, and bodies of functions are not changed.",
        )


@rule(
    "LG652",
    "rename-table",
    Severity.HIGH,
    "Programs that know a table or view by its old name fail",
    on=("RenameStmt",),
    hazard="From the moment it commits each statement with the old name fails. Bodies of functions keep the old name.",
    instead="Rename it and make a view of the old name in the same transaction: a simple view can be written to, too.",
    rows=(56,),
    catalog=_USE,
)
def rename_table(c: Context) -> Iterator[Found]:
    kind = enum(c.node, "rename_type")
    if kind not in _RELATIONS or c.is_new or _swaps(c):
        return
    new = beside(c, c.node.newname)
    yield c.found(
        f"Programs that know {c.table} by this name fail at once.",
        "The old name is gone when it commits, and bodies of functions are not changed.",
        f"BEGIN;\n{c.sql(c.node)}\nCREATE VIEW {c.table} AS SELECT * FROM {new};\nCOMMIT;\n"
        "-- Grant on the view what was granted on the table. COPY FROM and TRUNCATE do not work "
        "on it as before.",
    )


_OTHERS = {
    "OBJECT_SCHEMA": "schema",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_ROLE": "role",
    "OBJECT_DATABASE": "database",
    "OBJECT_ATTRIBUTE": "attribute",
}
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})


@rule(
    "LG653",
    "rename-other",
    Severity.MEDIUM,
    "Programs that know a schema, type, function or enum value by its old name fail",
    on=("RenameStmt", "AlterEnumStmt"),
    hazard="The catalog follows the new name, programs and bodies of functions do not.",
    instead="Make a second one of the new name, change the programs, then drop the old one.",
    rows=(56,),
    catalog=_USE,
)
def rename_other(c: Context) -> Iterator[Found]:
    if c.statement.kind == "AlterEnumStmt":
        if c.node.old_val:
            yield c.found(
                f"Programs that write the old value of {dotted(strings(c.node.type_name))} fail.",
                "The old value is refused when it commits, and readers do not know the new one.",
            )
        return
    kind = enum(c.node, "rename_type")
    word = _OTHERS.get(kind)
    own = kind in _TYPES and (kind, key_of(strings(c.node.object.list.items))) in c.known.made
    if word is not None and not own:
        yield c.found(f"Programs that know this {word} by its old name fail.", "The old name is gone when it commits.")


@rule(
    "LG654",
    "set-schema",
    Severity.HIGH,
    "Programs that know a table, type or function by its old schema fail",
    on=("AlterObjectSchemaStmt",),
    hazard="Like a rename: the old qualified name is gone, and without a schema the name is found only where "
    "search_path leads to.",
    instead="Make a view of the old name in the old schema, in the same transaction.",
    rows=(57,),
    catalog=_USE,
)
def set_schema(c: Context) -> Iterator[Found]:
    kind = enum(c.node, "object_type")
    if kind in _MOVED:
        yield c.found(
            f"Programs that know this {_MOVED[kind]} by its old schema fail.",
            "The old qualified name is gone when it commits.",
            severity=Severity.MEDIUM,
        )
    if kind not in _RELATIONS or c.is_new:
        return
    view = any(
        other.kind == "ViewStmt" and key_of((other.node.view.schemaname, other.node.view.relname)) == c.key
        for other in c.subject.together(c.statement)
    )
    if not view:
        moved = dotted((c.node.newschema, c.key[1]))
        yield c.found(
            f"Programs that know {c.table} by this name fail, unless search_path leads to {ident(c.node.newschema)}.",
            "The old qualified name is gone when it commits.",
            f"BEGIN;\n{c.sql(c.node)}\nCREATE VIEW {c.table} AS SELECT * FROM {moved};\nCOMMIT;"
            if c.relation is not None and c.relation.schemaname
            else "",
        )


_MOVED = {
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_ROUTINE": "routine",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_EXTENSION": "extension",
}


RULES = (rename_column, rename_table, rename_other, set_schema)
