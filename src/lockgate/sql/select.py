"""The SELECT of a mapping, and the queries that are derived from it by rewriting its tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lockgate.sql import tree
from lockgate.sql.candidates import candidate_terms
from lockgate.sql.distinct import DistinctOn, take_distinct
from lockgate.sql.equalities import Column, qualified
from lockgate.sql.inline import inline_ctes
from lockgate.sql.ranges import Site, add_where, sites
from lockgate.sql.ranges import replace as put
from lockgate.sql.shape import ShapeRefused, require_supported
from lockgate.sql.tree import Node, kind, unwrap, walk


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place where a relation is read: a self-join has two of the same relation.

    :param index: its number, in reading order.
    :param driving: whether it may drive the batches: in the outermost FROM, not on a nullable side.
    :param outermost: whether it stands directly in the outermost FROM, on whichever side of a join.
    :param in_from: whether it stands in FROM at any depth, not below EXISTS.
    :param whole_row: whether the row as a whole is used (``alias.*`` or the alias as a value).
    """

    index: int
    schema: str
    name: str
    alias: str
    offset: int
    driving: bool
    outermost: bool
    in_from: bool
    whole_row: bool


class Select:
    """A SELECT that can be kept exact.

    :param text: the SQL as written in the plan.
    :raises SqlSyntaxError: if it is not one SELECT.
    :raises ShapeRefused: if its form cannot be kept in step.
    """

    whole = False
    """Whether it cannot be read in pieces: see :mod:`lockgate.sql.whole`."""

    def __init__(self, text: str) -> None:
        self.text = text
        statement = tree.parse_one(text)
        if kind(statement.stmt) != "SelectStmt":
            raise ShapeRefused("a mapping is a SELECT", 0, "write a SELECT over the old model")
        self._statement = inline_ctes(statement)
        select = self._select(self._statement)
        require_supported(select)
        _forget_exists_outputs(select)
        self.distinct: DistinctOn | None = take_distinct(select)
        self.occurrences = tuple(self._occurrence(i, site, select) for i, site in enumerate(sites(select)))

    @staticmethod
    @lru_cache(maxsize=256)
    def of(text: str) -> Select:
        """Read a text, or remember what was read: nothing changes a SELECT."""
        return Select(text)

    @property
    def tree(self) -> Node:
        """The parsed SELECT, without WITH and DISTINCT; not to be changed."""
        return self._select(self._statement)

    @staticmethod
    def _select(statement: Node) -> Node:
        return statement.stmt.select_stmt

    @staticmethod
    def _occurrence(index: int, site: Site, select: Node) -> Occurrence:
        var = unwrap(site.holder)
        alias = var.alias.aliasname or var.relname
        return Occurrence(
            index=index,
            schema=var.schemaname,
            name=var.relname,
            alias=alias,
            offset=var.location,
            driving=site.top and not site.left_joins,
            outermost=site.top,
            in_from=not site.exists,
            whole_row=_uses_whole_row(select, alias),
        )

    def render(
        self,
        *,
        extra: Sequence[tuple[str, str]] = (),
        replace: Mapping[int, str] | None = None,
        where: Sequence[str] = (),
    ) -> str:
        """Write the SELECT with more outputs, other relations, or more conditions.

        :param extra: further outputs as (expression, name).
        :param replace: occurrence number -> a relation or a parenthesised SELECT, under the same alias.
        :param where: conditions that are added.
        """
        statement, select = self._copy()
        found = sites(select)
        for index, relation in (replace or {}).items():
            put(found[index], relation)
        for text, name in extra:
            target = select.target_list.add().res_target
            target.name = name
            target.val.CopyFrom(tree.expression(text))
        if where:
            add_where(select, [tree.expression(condition) for condition in where])
        return tree.deparse(statement)

    @property
    def plain_outputs(self) -> dict[str, tuple[str, str]]:
        """The outputs that are plain columns: name of the output -> alias and column."""
        outputs = [target.res_target for target in self._select(self._statement).target_list]
        found = [(output.name, qualified(output.val)) for output in outputs]
        return {name or column[1]: column for name, column in found if column}

    @property
    def stored_outputs(self) -> frozenset[str]:
        """The names of the outputs that are columns of a relation of the outermost FROM: nothing computes them."""
        select = self._select(self._statement)
        relations = {o.alias for o in self.occurrences if o.outermost}
        only_relations = not any(kind(node) in ("RangeSubselect", "RangeFunction") for node in walk(select))
        stored = set()
        for output in (target.res_target for target in select.target_list):
            column = unwrap(output.val)
            parts = [unwrap(part) for part in column.fields] if kind(column) == "ColumnRef" else []
            if not parts or kind(parts[-1]) != "String":
                continue
            if parts[0].sval in relations if len(parts) == 2 else only_relations and len(parts) == 1:
                stored.add(output.name or parts[-1].sval)
        return frozenset(stored)

    def candidate_terms(
        self,
        index: int,
        images: str,
        others: Mapping[int, str],
        key: Sequence[str],
        *,
        kinds: Mapping[Column, str],
        alone: bool = True,
    ) -> list[str]:
        """Write the queries whose rows hold every key that a change of one occurrence may touch.

        :param images: what the occurrence reads: old and new versions of changed rows.
        :param others: what other occurrences read instead of their relations: occurrence number -> relation.
        :param key: names of the outputs that are wanted.
        :param kinds: what columns are of, as far as values of the same kind are the same where they are equal.
        :param alone: whether the changed rows may be asked alone, without those that they are joined with.
        """
        return candidate_terms(self._statement, index, images, others, key, kinds=kinds, alone=alone)

    def _copy(self) -> tuple[Node, Node]:
        statement = type(self._statement)()
        statement.CopyFrom(self._statement)
        return statement, self._select(statement)


def _forget_exists_outputs(select: Node) -> None:
    """EXISTS asks for rows only: without its outputs, ``SELECT *`` in it does not count as use of a whole row."""
    for node in walk(select):
        if kind(node) == "SubLink":
            subselect = unwrap(node.subselect)
            del subselect.target_list[:]


def _uses_whole_row(select: Node, alias: str) -> bool:
    for node in walk(select):
        if kind(node) != "ColumnRef":
            continue
        names = [unwrap(part).sval if kind(part) == "String" else "*" for part in node.fields]
        if names in ([alias], ["*"], [alias, "*"]):
            return True
    return False
