"""Which columns a SELECT fixes by equality, as far as its joins and conditions say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.sql.ranges import JOIN_INNER, conjuncts
from lockgate.sql.tree import Node, kind, unwrap, walk

if TYPE_CHECKING:
    from lockgate.sql.select import Select

_PLAIN = 1  # A_Expr_Kind: AEXPR_OP
Column = tuple[str, str]
"""An alias and a column of it."""


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
        if not _is_equality(node):
            continue
        for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
            column = qualified(side)
            needs = references(other)
            if column and needs is not None:
                found.append(Equality(*column, frozenset(needs), qualified(other)))
    return found


def stand_ins(select: Node, alias: str, kinds: Mapping[Column, str]) -> dict[Column, Column]:
    """The columns of other relations of the outermost FROM that have the value of one of ``alias``, and which.

    They have it in every row in which they are not NULL: equal by WHERE or an inner join, also by way of others.

    :param kinds: what columns are of, as far as values of the same kind are the same where they are equal.
    """
    pairs = [
        (left, right)
        for condition in _inner_conditions(select)
        if (equality := _of_columns(condition)) is not None
        for left, right in (equality, equality[::-1])
        if left in kinds and kinds.get(right) == kinds[left]
    ]
    found = {right: left for left, right in pairs if left[0] == alias != right[0]}
    while more := {two: found[one] for one, two in pairs if one in found and two not in found and two[0] != alias}:
        found |= more
    return found


def _of_columns(condition: Node) -> tuple[Column, Column] | None:
    node = unwrap(condition)
    if not _is_equality(node):
        return None
    left, right = qualified(node.lexpr), qualified(node.rexpr)
    return (left, right) if left and right else None


def _is_equality(node: Node) -> bool:
    """Whether it is ``left = right``: IN, ``= ANY``, IS DISTINCT FROM and NULLIF carry the same operator's name."""
    return (
        kind(node) == "A_Expr"
        and node.kind == _PLAIN
        and [unwrap(n).sval for n in node.name] == ["="]
        and node.HasField("lexpr")
    )


def _inner_conditions(select: Node) -> Iterator[Node]:
    for item in select.from_clause:
        yield from _inner_of(item)
    yield from conjuncts(select.where_clause)


def _inner_of(item: Node) -> Iterator[Node]:
    join = unwrap(item)
    if kind(join) != "JoinExpr":
        return
    yield from _inner_of(join.larg)
    yield from _inner_of(join.rarg)
    if join.jointype == JOIN_INNER and join.HasField("quals"):
        yield from conjuncts(join.quals)


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
