"""Whether a column's new type has the table written anew, as the server decides it.

The server looks at the expression that turns an old value into a new one. If it is the value itself under another
name, the table stays as it is. An index stays if its operator class and its collation do, too.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Catalog, Column, Index, Relation, Type
from lockgate.sql.tree import Node, deparse, enum, expression, kind, parse_one, strings, unwrap

_TIMES = {"time", "timetz", "timestamp", "timestamptz"}
_FINEST = 6  # digits of a second
_WHOLE_INTERVAL = 0x7FFF
_HEADER = 4  # what a type modifier counts beside the length


class Retyping(NamedTuple):
    """What becomes of one column."""

    column: Column
    new: Type
    collation: int
    rewrites: bool


def type_text(name: Node) -> str:
    """A ``TypeName`` as SQL."""
    statement = parse_one("SELECT NULL::x")
    statement.stmt.select_stmt.target_list[0].res_target.val.type_cast.type_name.CopyFrom(name)
    return deparse(statement).removeprefix("SELECT NULL::").removeprefix("SELECT CAST(NULL AS ").strip()


def retyping(gathering: Gathering, relation: Relation, name: str, definition: Node) -> Retyping | None:
    """What becomes of a column, or None if the catalog does not know what there is.

    :param definition: the ``ColumnDef`` of ALTER COLUMN TYPE.
    """
    catalog, column = gathering.catalog, relation.column(name)
    new = catalog.type(type_text(definition.type_name)) if catalog else None
    if not catalog or not column or not new:
        return None
    collation = _collation(catalog, definition, new)
    source = _source(definition, name)
    rewrites = source is None or _changes(catalog, catalog.type_of(column), new)
    return Retyping(column, new, collation, rewrites)


def kept(catalog: Catalog, index: Index, change: Retyping) -> bool:
    """Whether an index that uses the column stays as it is. One that is a part is made anew with the whole."""
    if not index.plain or index.part or change.rewrites:
        return False
    for number, operator_class in zip(index.columns, index.opclasses, strict=False):
        if number == change.column.number and (
            catalog.operator_class(change.new.oid, index.method) != operator_class
            or change.collation != change.column.collation
        ):
            return False
    return True


def _source(definition: Node, name: str) -> str | None:
    """The column, if the new value is nothing but it, cast at most to the very type."""
    if not definition.HasField("raw_default"):
        return name
    node = unwrap(definition.raw_default)
    if kind(node) == "TypeCast" and type_text(node.type_name) == type_text(definition.type_name):
        node = unwrap(node.arg)
    return name if _is(node, name) else None


def _is(node: Node, column: str) -> bool:
    return kind(node) == "ColumnRef" and strings(unwrap(node).fields)[-1:] == (column,)


def _collation(catalog: Catalog, definition: Node, new: Type) -> int:
    if not definition.HasField("coll_clause"):
        return new.collation
    return catalog.collation(strings(definition.coll_clause.collname))


def _changes(catalog: Catalog, old: Type, new: Type) -> bool:
    """Whether a value of the one type is not yet one of the other."""
    if new.constrained:
        return True
    if old.oid != new.oid:
        method = catalog.cast(old.oid, new.oid)
        timestamps = {old.name, new.name} == {"timestamp", "timestamptz"} and catalog.utc
        if method != "b" and not timestamps:
            return True
        return new.typmod >= 0 and not _no_narrower(new.name, -1 if method == "b" else old.typmod, new.typmod)
    return not _no_narrower(new.name, old.typmod, new.typmod)


def _no_narrower(name: str, old: int, new: int) -> bool:
    """Whether every value that one modifier of a type allows is a value under another one, too."""
    if new in {old, -1}:
        return True
    if name in {"varchar", "varbit"}:
        return 0 <= old <= new
    if name in _TIMES:
        return new >= _FINEST or 0 <= old <= new
    if name == "numeric" and old >= 0:
        old, new = old - _HEADER, new - _HEADER
        return old & 0xFFFF == new & 0xFFFF and old >> 16 <= new >> 16
    if name == "interval" and old >= 0:
        fields = old >> 16, new >> 16
        finer = (old & 0xFFFF) <= (new & 0xFFFF)
        return finer and (fields[0] == fields[1] or fields[1] == _WHOLE_INTERVAL)
    return False


def requires_not_null(text: str, column: str) -> bool:
    """Whether a check's expression says that a column is not null, beside whatever else it says."""
    waiting = [unwrap(expression(text))]
    while waiting:
        node = waiting.pop()
        if kind(node) == "BoolExpr" and enum(node, "boolop") == "AND_EXPR":
            waiting += [unwrap(part) for part in node.args]
        elif kind(node) == "NullTest" and enum(node, "nulltesttype") == "IS_NOT_NULL" and _is(node.arg, column):
            return True
    return False
