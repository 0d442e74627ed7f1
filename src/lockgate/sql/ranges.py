"""Where the relations of a SELECT stand: in FROM, below outer joins, below EXISTS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lockgate.sql import tree
from lockgate.sql.tree import Node, kind, unwrap

AND_EXPR, NOT_EXPR = 1, 3  # BoolExprType
JOIN_INNER, JOIN_LEFT = 1, 2  # JoinType
EXISTS_SUBLINK = 1  # SubLinkType


@dataclass(slots=True)
class LeftJoin:
    """An outer join whose right arm holds an occurrence, and the SELECT whose FROM it stands in."""

    join: Node
    owner: Node


@dataclass(slots=True)
class Site:
    """One relation as it stands in the tree.

    :param holder: the ``Node`` that wraps the ``RangeVar``: what a rewrite replaces.
    :param left_joins: the LEFT JOINs that have it on their right side, outermost first.
    :param exists: the numbers, in reading order, of the EXISTS conjuncts around it, outermost first.
    :param top: whether it stands directly in the FROM of the outermost SELECT.
    """

    holder: Node
    left_joins: list[LeftJoin] = field(default_factory=list)
    exists: tuple[int, ...] = ()
    top: bool = False


def conjuncts(where: Node) -> Iterator[Node]:
    """Yield the ``Node`` of each condition that a WHERE clause joins by AND."""
    inner = unwrap(where)
    if inner is not None and kind(inner) == "BoolExpr" and inner.boolop == AND_EXPR:
        for arg in inner.args:
            yield from conjuncts(arg)
    elif inner is not None:
        yield where


def exists_of(condition: Node) -> Node | None:
    """Return the EXISTS sublink of ``EXISTS (...)`` or ``NOT EXISTS (...)``, else None."""
    inner = unwrap(condition)
    if kind(inner) == "BoolExpr" and inner.boolop == NOT_EXPR:
        inner = unwrap(inner.args[0])
    return inner if kind(inner) == "SubLink" and inner.sub_link_type == EXISTS_SUBLINK else None


class _Numbers:
    def __init__(self) -> None:
        self.last = -1

    def next(self) -> int:
        self.last += 1
        return self.last


def sites(select: Node) -> list[Site]:
    """List the relations of a SELECT, in reading order (the same order at every call on an equal tree)."""
    return list(_select_sites(select, [], (), _Numbers(), top=True))


def _select_sites(
    select: Node, left_joins: list[LeftJoin], exists: tuple[int, ...], numbers: _Numbers, *, top: bool
) -> Iterator[Site]:
    for item in select.from_clause:
        yield from _item_sites(item, select, left_joins, exists, numbers, top=top)
    for condition in conjuncts(select.where_clause):
        sublink = exists_of(condition)
        if sublink is not None:
            number = numbers.next()
            yield from _select_sites(unwrap(sublink.subselect), left_joins, (*exists, number), numbers, top=False)


def _item_sites(
    item: Node,
    owner: Node,
    left_joins: list[LeftJoin],
    exists: tuple[int, ...],
    numbers: _Numbers,
    *,
    top: bool,
) -> Iterator[Site]:
    inner = unwrap(item)
    match kind(inner):
        case "RangeVar":
            yield Site(item, list(left_joins), exists, top)
        case "JoinExpr":
            yield from _item_sites(inner.larg, owner, left_joins, exists, numbers, top=top)
            right = [*left_joins, LeftJoin(inner, owner)] if inner.jointype == JOIN_LEFT else left_joins
            yield from _item_sites(inner.rarg, owner, right, exists, numbers, top=top)
        case "RangeSubselect":
            yield from _select_sites(unwrap(inner.subquery), left_joins, exists, numbers, top=False)


def aliases_below(item: Node) -> set[str]:
    """The names under which the relations, functions and subqueries of an item of FROM are known beside it."""
    inner = unwrap(item)
    match kind(inner):
        case "JoinExpr":
            return aliases_below(inner.larg) | aliases_below(inner.rarg)
        case "RangeVar":
            return {inner.alias.aliasname or inner.relname}
        case _:
            return {inner.alias.aliasname}


def replace(site: Site, relation: str) -> None:
    """Put another relation, or a parenthesised SELECT, in the place of a site, under the same alias."""
    var = unwrap(site.holder)
    alias = var.alias.aliasname or var.relname
    item = tree.parse_one(f"SELECT 1 FROM {relation} AS {tree.quote(alias)}").stmt.select_stmt.from_clause[0]
    site.holder.CopyFrom(item)


def keep_exists(select: Node, keep: frozenset[int]) -> None:
    """Change every WHERE of ``select`` so that only the EXISTS conjuncts in ``keep`` stay, each asked positively.

    The numbers are those of ``sites`` on the same tree.
    """
    _keep_exists(select, keep, _Numbers())


def _keep_exists(select: Node, keep: frozenset[int], numbers: _Numbers) -> None:
    for item in select.from_clause:
        _keep_exists_below(item, keep, numbers)
    kept = []
    for condition in conjuncts(select.where_clause):
        sublink = exists_of(condition)
        if sublink is None:
            kept.append(_copy(condition))
            continue
        number = numbers.next()
        _keep_exists(unwrap(sublink.subselect), keep, numbers)
        if number in keep:
            positive = type(condition)()
            positive.sub_link.CopyFrom(sublink)
            kept.append(positive)
    set_where(select, kept)


def _keep_exists_below(item: Node, keep: frozenset[int], numbers: _Numbers) -> None:
    inner = unwrap(item)
    if kind(inner) == "JoinExpr":
        _keep_exists_below(inner.larg, keep, numbers)
        _keep_exists_below(inner.rarg, keep, numbers)
    elif kind(inner) == "RangeSubselect":
        _keep_exists(unwrap(inner.subquery), keep, numbers)


def _copy(node: Node) -> Node:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def set_where(select: Node, conditions: list[Node]) -> None:
    """Make the WHERE clause of ``select`` the conjunction of ``conditions`` (copies are taken)."""
    conditions = [_copy(condition) for condition in conditions]
    select.ClearField("where_clause")
    if len(conditions) == 1:
        select.where_clause.CopyFrom(conditions[0])
    elif conditions:
        select.where_clause.bool_expr.boolop = AND_EXPR
        select.where_clause.bool_expr.args.extend(conditions)


def add_where(select: Node, conditions: list[Node]) -> None:
    """Add ``conditions`` to the WHERE clause of ``select``."""
    set_where(select, [*conjuncts(select.where_clause), *conditions])
