"""The queries whose rows hold every key that a change of one relation may touch.

Any superset will do: evaluation decides about each key. So what only filters is left out where that saves work.
But no row may be lost that the SELECT yields, or yielded, with any mixture of old and new versions of the rows
that changed together: those of the other relations are read as they are and as they were.

What needs care are LEFT JOINs. Whether a row is extended by NULLs may itself change, and a relation that is
read as it is and as it was finds too many partners to show that. So each LEFT JOIN that a change can reach, and
whose right side the key reads, is asked in two ways: as it is, and finding nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from lockgate.sql import tree
from lockgate.sql.equalities import Column, qualified, references, stand_ins
from lockgate.sql.ranges import (
    JOIN_INNER,
    LeftJoin,
    Site,
    add_where,
    aliases_below,
    conjuncts,
    exists_of,
    keep_exists,
    replace,
    set_where,
    sites,
)
from lockgate.sql.tree import Node, kind, unwrap, walk


def candidate_terms(
    statement: Node,
    index: int,
    images: str,
    others: Mapping[int, str],
    key: Sequence[str],
    *,
    kinds: Mapping[Column, str],
    alone: bool = True,
) -> list[str]:
    """Write the queries for a change of one occurrence of a SELECT without WITH and DISTINCT.

    :param statement: a ``RawStmt``; it is copied, not changed.
    :param index: the occurrence, which reads ``images``: old and new versions of changed rows.
    :param others: what other occurrences read instead of their relations, where rows of those changed as well.
    :param key: names of the outputs that are wanted.
    :param kinds: as of ``stand_ins``.
    :param alone: whether the changed rows may be asked alone, without those that they are joined with.
    """
    simple = _alone(statement, index, images, key, kinds) if alone else None
    if simple is not None:
        return [simple]
    plan = _Plan(statement, index, frozenset(others) - {index}, key)
    terms = [_term(statement, plan, index, {**others, index: images}, key, choice) for choice in plan.choices()]
    return list(dict.fromkeys(terms))


def _alone(statement: Node, index: int, images: str, key: Sequence[str], kinds: Mapping[Column, str]) -> str | None:
    """The keys from the changed rows alone, if each column of the key is made of theirs, or of equal ones."""
    copy, select = _copy(statement)
    site = sites(select)[index]
    if not site.top or site.left_joins or not _keep_outputs(select, key):
        return None
    name = unwrap(site.holder).alias.aliasname or unwrap(site.holder).relname
    alias = {name}
    _put_in(select.target_list, stand_ins(select, name, kinds))
    if _read(select.target_list) != alias:
        return None
    conditions = [c for c in conjuncts(select.where_clause) if exists_of(c) is None and references(c) == alias]
    replace(site, images)
    item = type(site.holder)()
    item.CopyFrom(site.holder)
    set_where(select, conditions)
    del select.from_clause[:]
    select.from_clause.append(item)
    return tree.deparse(copy)


def _copy(statement: Node) -> tuple[Node, Node]:
    copy = type(statement)()
    copy.CopyFrom(statement)
    return copy, copy.stmt.select_stmt


def _keep_outputs(select: Node, key: Sequence[str]) -> bool:
    """Leave only the outputs of the key; False, and nothing is changed, if not all of them have plain names."""
    outputs = {}
    for target in select.target_list:
        column = unwrap(target.res_target.val)
        last = column.fields[-1] if kind(column) == "ColumnRef" else None
        name = target.res_target.name or (unwrap(last).sval if last is not None and kind(last) == "String" else "")
        outputs[name] = type(target)()
        outputs[name].CopyFrom(target)
    if not set(key) <= set(outputs):
        return False
    del select.target_list[:]
    select.target_list.extend(outputs[name] for name in key)
    return True


def _put_in(outputs: Sequence[Node], instead: Mapping[Column, Column]) -> None:
    """Have outputs read other columns, under the names that they have."""
    for output in outputs:
        for node in list(walk(output)):
            column = qualified(node)
            if column is None or column not in instead:
                continue
            if node == unwrap(output.res_target.val) and not output.res_target.name:
                output.res_target.name = column[1]
            for field, name in zip(node.fields, instead[column], strict=True):
                unwrap(field).sval = name


def _read(nodes: Sequence[Node]) -> set[str] | None:
    """The aliases that some nodes read; None if one cannot be told."""
    found: set[str] = set()
    for node in nodes:
        needs = references(node)
        if needs is None:
            return None
        found |= needs
    return found


def _kept(select: Node, index: int) -> dict[int, Site]:
    """Leave only the EXISTS around an occurrence; return the relations that stay, by their numbers before."""
    found = sites(select)
    around = frozenset(found[index].exists)
    stay = [number for number, site in enumerate(found) if around.issuperset(site.exists)]
    keep_exists(select, around)
    return dict(zip(stay, sites(select), strict=True))


def _left_joins(found: Mapping[int, Site]) -> list[LeftJoin]:
    """The LEFT JOINs above some relations in reading order: what stands inside another one comes after it."""
    known: list[LeftJoin] = []
    for site in found.values():
        known += [join for join in site.left_joins if not any(join is other for other in known)]
    return known


def _below(site: Site, join: LeftJoin) -> bool:
    return any(join is other for other in site.left_joins)


class _Plan:
    """What each LEFT JOIN of a SELECT means for a change of one occurrence; they are numbered in reading order.

    :ivar around: those that have the occurrence on their right side.
    :ivar unread: those whose right side is read by nothing but conditions that may be left out.
    :ivar reached: the others on whose right side rows changed as well.
    """

    def __init__(self, statement: Node, index: int, changed: frozenset[int], key: Sequence[str]) -> None:
        _, select = _copy(statement)
        found = _kept(select, index)
        known = _left_joins(found)
        self.around = {number for number, join in enumerate(known) if _below(found[index], join)}
        self.unread: set[int] = set()
        for number in reversed(range(len(known))):
            if _is_unread(statement, index, {number} | (self.unread - self.around), number, key):
                self.unread.add(number)
        with_changes = {
            number
            for number, join in enumerate(known)
            if any(_below(found[other], join) for other in changed if other in found)
        }
        self.reached = with_changes - self.around - self.unread

    def choices(self) -> Iterator[frozenset[int]]:
        """The sets of LEFT JOINs that are to find nothing."""
        always = self.unread - self.around
        open_ones = sorted((self.around | self.reached) - self.unread)
        for choice in product((False, True), repeat=len(open_ones)):
            yield frozenset(always | {number for number, nothing in zip(open_ones, choice, strict=True) if nothing})


def _is_unread(statement: Node, index: int, without: set[int], number: int, key: Sequence[str]) -> bool:
    """Whether nothing reads the right side of a LEFT JOIN, when some of them are left out, this one among them."""
    _, select = _copy(statement)
    if not _keep_outputs(select, key):
        return False
    known = _left_joins(_kept(select, index))
    own = aliases_below(known[number].join.rarg)
    for gone in without:
        _forget_conditions(known[gone])
    for gone in without:
        known[gone].join.ClearField("rarg")
        known[gone].join.ClearField("quals")
    for item in select.from_clause:
        _forget_subqueries(item)
    read = _read([node for node in walk(select) if kind(node) == "ColumnRef"])
    return read is not None and not read & own


def _forget_subqueries(item: Node) -> None:
    """Leave out subqueries in the outermost FROM that cannot see what stands beside them."""
    inner = unwrap(item)
    if inner is not None and kind(inner) == "JoinExpr":
        _forget_subqueries(inner.larg)
        _forget_subqueries(inner.rarg)
    elif inner is not None and kind(inner) == "RangeSubselect" and not inner.lateral:
        inner.ClearField("subquery")


def _forget_conditions(join: LeftJoin) -> None:
    """Leave out the conditions of WHERE that read the right side of a LEFT JOIN."""
    own = aliases_below(join.join.rarg)
    kept = []
    for condition in conjuncts(join.owner.where_clause):
        needs = references(condition)
        if exists_of(condition) is not None or needs is None or not needs & own:
            kept.append(condition)
    set_where(join.owner, kept)


def _term(
    statement: Node, plan: _Plan, index: int, reading: Mapping[int, str], key: Sequence[str], nothing: frozenset[int]
) -> str:
    copy, select = _copy(statement)
    found = _kept(select, index)
    known = _left_joins(found)
    _keep_outputs(select, key)
    for number, relation in reading.items():
        if number in found:
            replace(found[number], relation)
    # From the inside out: an outer join is asked about its right side as that was chosen to be.
    asked: list[Node] = []
    for number in reversed(range(len(known))):
        outer = known[number]
        if number in plan.unread:
            _forget_conditions(outer)
        if number in plan.around and number in nothing:
            asked = [_finds_something(outer.join, asked)]
        elif number in plan.around:
            outer.join.jointype = JOIN_INNER
        if number in nothing:
            outer.join.quals.CopyFrom(tree.expression("false"))
        if asked and not any(n in plan.around and known[n].owner is outer.owner for n in range(number)):
            add_where(outer.owner, asked)
            asked = []
    return tree.deparse(copy)


def _finds_something(join: Node, more: Sequence[Node]) -> Node:
    """The condition that a join finds something on its right side for which ``more`` holds, too."""
    matched = tree.expression("EXISTS (SELECT)")
    probe = matched.sub_link.subselect.select_stmt
    probe.from_clause.add().CopyFrom(join.rarg)
    set_where(probe, [*conjuncts(join.quals), *more])
    return matched
