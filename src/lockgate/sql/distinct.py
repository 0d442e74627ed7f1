"""DISTINCT and DISTINCT ON: what they say about which row keeps a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.sql import tree
from lockgate.sql.shape import ShapeRefused
from lockgate.sql.tree import Node, kind, strip_locations, unwrap


@dataclass(frozen=True, slots=True)
class DistinctOn:
    """``DISTINCT ON (...) ... ORDER BY``.

    :param on: of each expression the names of the outputs that it is; none for one that is no output.
    :param words: the ORDER BY items that come after those, over the relations of FROM.
    :param offset: where it stands, in bytes of the text; -1 if unknown.
    """

    on: tuple[frozenset[str], ...]
    words: tuple[str, ...]
    offset: int


def take_distinct(select: Node) -> DistinctOn | None:
    """Remove DISTINCT [ON] and its ORDER BY from the tree; None if there is no ON.

    Rows of equal key are reduced to the winner anyway, so that plain DISTINCT adds nothing to it.

    :raises ShapeRefused: for an ORDER BY that chooses no row.
    """
    on = [_meant(item, select.target_list) for item in select.distinct_clause if unwrap(item) is not None]
    if select.sort_clause and not on:
        raise ShapeRefused("ORDER BY cannot be kept in step", tree.location(select.sort_clause[0]), "use `winner:`")
    found = None
    if on:
        order = [(_meant(item.sort_by.node, select.target_list), item) for item in select.sort_clause]
        while order and any(_same(order[0][0], item) for item in on):
            order.pop(0)
        found = DistinctOn(
            on=tuple(_named(item, select.target_list) for item in on),
            words=tuple(_word(node, item) for node, item in order),
            offset=tree.location(select.distinct_clause[0]),
        )
    select.ClearField("distinct_clause")
    select.ClearField("sort_clause")
    return found


def _meant(item: Node, outputs: Sequence[Node]) -> Node:
    """The expression of an item, which may be the number or the name of an output."""
    inner = unwrap(item)
    if kind(inner) == "A_Const" and inner.HasField("ival") and 0 < inner.ival.ival <= len(outputs):
        return outputs[inner.ival.ival - 1].res_target.val
    if kind(inner) == "ColumnRef" and len(inner.fields) == 1 and kind(inner.fields[0]) == "String":
        name = unwrap(inner.fields[0]).sval
        for output in outputs:
            if output_name(output) == name:
                return output.res_target.val
    return item


def named_outputs(item: Node, outputs: Sequence[Node]) -> frozenset[str]:
    """The names of the outputs that an item of GROUP BY is; none for one that is no output."""
    return _named(_meant(item, outputs), outputs)


def _named(expression: Node, outputs: Sequence[Node]) -> frozenset[str]:
    names = {output_name(output) for output in outputs if _same(output.res_target.val, expression)}
    if not names and any(_is_star(output.res_target.val) for output in outputs):
        names = {_column_name(expression)}
    return frozenset(name for name in names if name is not None)


def output_name(output: Node) -> str | None:
    """The name of an output as far as the text says it."""
    return output.res_target.name or _column_name(output.res_target.val)


def _column_name(expression: Node) -> str | None:
    value = unwrap(expression)
    last = unwrap(value.fields[-1]) if kind(value) == "ColumnRef" else None
    return last.sval if last is not None and kind(last) == "String" else None


def _is_star(expression: Node) -> bool:
    value = unwrap(expression)
    return kind(value) == "ColumnRef" and kind(value.fields[-1]) == "A_Star"


def _same(left: Node, right: Node) -> bool:
    return bool(strip_locations(left) == strip_locations(right))


def _word(expression: Node, item: Node) -> str:
    statement = tree.parse_one("SELECT 1")
    sort = statement.stmt.select_stmt.sort_clause.add()
    sort.CopyFrom(item)
    sort.sort_by.node.CopyFrom(expression)
    return tree.deparse(statement).removeprefix("SELECT 1 ORDER BY ")
