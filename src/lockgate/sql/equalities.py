"""Which columns a SELECT fixes by equality, as far as its joins and conditions say so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.sql.ranges import conjuncts
from lockgate.sql.tree import Node, kind, unwrap, walk

if TYPE_CHECKING:
    from lockgate.sql.select import Select


@dataclass(frozen=True, slots=True)
class Equality:
    """``alias.column = expression``, where the expression needs the relations ``needs`` (none: a constant).

    :param other: alias and column, where the expression is a plain column.
    """

    alias: str
    column: str
    needs: frozenset[str]
    other: tuple[str, str] | None


def has_functions(select: Select) -> bool:
    """Whether FROM holds a function or a subquery, which may yield any number of rows."""
    return any(kind(node) in {"RangeFunction", "RangeSubselect"} for node in _from_nodes(select.tree))


def _from_nodes(select: Node) -> Iterator[Node]:
    for item in select.from_clause:
        yield from walk(item)


def equalities(select: Select) -> list[Equality]:
    """List the equalities of the outermost ON and WHERE that hold for every row."""
    found = []
    for condition in _conditions(select.tree):
        node = unwrap(condition)
        if kind(node) != "A_Expr" or [unwrap(n).sval for n in node.name] != ["="] or not node.HasField("lexpr"):
            continue
        for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
            column = qualified(side)
            needs = references(other)
            if column and needs is not None:
                found.append(Equality(*column, frozenset(needs), qualified(other)))
    return found


def _conditions(select: Node) -> Iterator[Node]:
    for item in select.from_clause:
        for node in walk(item):
            if kind(node) == "JoinExpr" and node.HasField("quals"):
                yield from conjuncts(node.quals)
    yield from conjuncts(select.where_clause)


def qualified(node: Node) -> tuple[str, str] | None:
    """Return (alias, column) of a plain ``alias.column``."""
    inner = unwrap(node)
    if kind(inner) != "ColumnRef" or len(inner.fields) != 2 or kind(inner.fields[1]) != "String":
        return None
    return unwrap(inner.fields[0]).sval, unwrap(inner.fields[1]).sval


def references(node: Node) -> set[str] | None:
    """The aliases that an expression reads; None if one cannot be told."""
    needs = set()
    for inner in walk(node):
        if kind(inner) == "ColumnRef":
            column = qualified(inner)
            if column is None:
                return None
            needs.add(column[0])
        elif kind(inner) == "SubLink":
            return None
    return needs
