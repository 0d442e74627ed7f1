"""A column's new type against what uses the column, and against its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.live.users import listed
from lockgate.safety.probes import converting
from lockgate.safety.probes.asking import Answer
from lockgate.safety.records import Column, Relation
from lockgate.safety.retyping import cost, loses
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.ddl import ident
from lockgate.sql.tree import Node

_BLOCKING = frozenset({"view", "materialized view", "rule", "policy", "trigger", "function", "default value"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "name"})


def _changed(c: Context, db: Database) -> tuple[Relation, Column, Node] | None:
    relation = db.relation(c)
    column = db.column(c, relation, c.part.name) if relation else None
    return (relation, column, getattr(c.part, "def").column_def) if relation and column else None


@told(
    "LG321",
    "type-change-is-refused",
    Severity.HIGH,
    "A view, policy, trigger or another table keeps a column from changing its type",
    on=("AT_AlterColumnType",),
    hazard="PostgreSQL refuses to change the type of a column that a view, rule, policy, trigger, generated column or "
    "SQL function uses, or while another table has a column of the table's row type (error 0A000).",
    instead="Drop these in the same transaction and make them again, with their grants and comments.",
    rows=(25,),
    looks="what uses the column",
)
def type_change_is_refused(c: Context, db: Database) -> Iterator[Found]:
    found = _changed(c, db)
    if found is None:
        return
    relation, column, _ = found
    uses = [use for use in db.facts.uses_of(relation.oid, column.number) if use.kind in _BLOCKING]
    dropped = {
        names[-1]
        for statement in c.subject.statements[: c.statement.index]
        if statement.kind == "DropStmt"
        for names in ddl.objects(statement.node)
    }
    names = [f"{use.kind} {use.name}" for use in uses if not any(name in use.name for name in dropped)]
    names += [f"column {other}" for other in _of_row_type(db, relation)]
    if not names:
        return
    names = list(dict.fromkeys(names))
    views = [use.home for use in uses if use.kind in {"view", "materialized view"}]
    grants = [line for view in views if view in db.facts.grants for line in db.facts.grants[view].statements]
    shown = "\n".join(f"{line};" for line in dict.fromkeys(grants))
    yield c.found(
        f"This fails: {relation.label}.{ident(column.name)} is used by {listed(names)}.",
        "PostgreSQL does not look into what uses a column, so it refuses to change its type.",
        f"-- Drop them and make them again in the same transaction, with what others may do:\n{shown}" if shown else "",
    )


def _of_row_type(db: Database, relation: Relation) -> Iterator[str]:
    array = next((kind.oid for kind in db.facts.types.values() if kind.element == relation.row_type), 0)
    for oid, columns in db.facts.columns.items():
        for column in columns:
            if column.type in {relation.row_type, array} - {0} and db.facts.relations[oid].kind != "v":
                yield f"{db.facts.relations[oid].label}.{ident(column.name)}"


def lossy(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """How many values come out as other ones."""
    known = _changed(c, db)
    if known is None or not found:
        yield from found
        return
    relation, column, definition = known
    new = ddl.type_of(definition.type_name)
    if _converts(definition, column) or not loses(column.type_name, new):
        yield from found
        return
    counted = converting.changed(db.prober, relation, column, column.type_name, new)
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"The values of {relation.label}.{ident(column.name)} in {{count}} are rounded or cut without an error.",
        why=f"They do not come back when they are cast to {new} and back. {db.size(relation)}.",
        looks=f"how many values of {relation.label}.{ident(column.name)} change",
        rewrite=found[0].rewrite,
    )


def failing(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """Which values the new type does not take."""
    known = _changed(c, db)
    if known is None:
        yield from found
        return
    relation, column, definition = known
    new = ddl.type_of(definition.type_name)
    if cost(column.type_name.removeprefix("public."), new) == "nothing" and not _converts(definition, column):
        return
    counted = _asked(c, db, relation, column, definition)
    if counted is None:
        yield from found
        return
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"This fails: {{count}} of {relation.label} have a {ident(column.name)} that is no {new}.",
        why=f"Each value is converted, and one that cannot be ends the statement. {db.size(relation)}.",
        looks=f"which values of {relation.label}.{ident(column.name)} are no {new}",
        rewrite=found[0].rewrite if found else "",
    )


def _asked(c: Context, db: Database, relation: Relation, column: Column, definition: Node) -> Answer | None:
    resolved = db.type(definition.type_name)
    old = db.facts.types.get(db.facts.base_type(column.type))
    new = ddl.type_of(definition.type_name)
    if resolved is None or old is None:
        return None
    kind = db.facts.types.get(resolved[0])
    if kind is not None and kind.name in {"varchar", "bpchar"} and not definition.HasField("raw_default"):
        return converting.too_long(db.prober, relation, column, resolved[1] - 4) if resolved[1] > 4 else None
    if not _converts(definition, column) and old.name in _TEXTS and db.facts.version >= converting.VALIDATES:
        return converting.unreadable(db.prober, relation, column, new)
    expression = f"{ident(column.name)}::{new}"
    if definition.HasField("raw_default"):
        expression = f"({ddl.expression(definition.raw_default, values=True)})::{new}"
    return converting.failing(db.prober, relation, expression)


def _converts(definition: Node, column: Column) -> bool:
    """Whether USING is more than a cast of the column to the new type."""
    if not definition.HasField("raw_default"):
        return False
    said = ddl.expression(definition.raw_default, values=True)
    plain = ident(column.name)
    return said not in {plain, f"{plain}::{ddl.type_of(definition.type_name)}"} and not said.startswith(f"{plain}::")


RULES = (type_change_is_refused,)
