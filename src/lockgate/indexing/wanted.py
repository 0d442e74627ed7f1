"""The indexes that a step asks for, by its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lockgate.errors import PlanError
from lockgate.script.located import Located, located
from lockgate.script.statements import shape
from lockgate.sql.ddl import dotted, written
from lockgate.sql.split import split
from lockgate.sql.tree import Node, copied, parse_one, unwrap


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index.

    :param name: as the catalog holds it.
    :param table: as the text names it, quoted where it must be.
    :param node: the ``IndexStmt``.
    :param where: the place of its statement in the plan.
    """

    name: str
    table: str
    node: Node
    where: str

    def built(self) -> Located:
        """The statement that builds it, beside writers."""
        return self._statement(concurrent=True)

    def of_parent(self) -> Located:
        """The statement that makes it, still invalid, on a partitioned table alone."""
        return self._statement(only=True)

    def on(self, schema: str, table: str, name: str) -> Wanted:
        """The same index on a partition, under a name of its own."""
        node = copied(self.node)
        node.relation.schemaname, node.relation.relname, node.idxname = schema, table, name
        return Wanted(name, dotted((schema, table)), node, self.where)

    def _statement(self, *, concurrent: bool = False, only: bool = False) -> Located:
        node = copied(self.node)
        node.concurrent = concurrent
        node.relation.inh = not only
        text = written(node, values=True)
        if not text:
            raise PlanError(
                "This index cannot be written back exactly", where=self.where, hint="Write it in another way."
            )
        (statement,) = split(text)
        # A character of what was written anew is nowhere in the plan: what is wrong with it is at the statement.
        return Located(statement, shape(statement), partial(_always, self.where))


def again(definition: str, where: str, tablespace: str = "") -> Wanted:
    """The index of a definition that the catalog gave.

    :param tablespace: where it is to be; empty: where the server puts it.
    """
    node = copied(unwrap(parse_one(definition).stmt))
    node.relation.inh = True
    node.table_space = tablespace
    return _of(node, where)


def _of(node: Node, where: str) -> Wanted:
    schema = (node.relation.schemaname,) if node.relation.schemaname else ()
    return Wanted(str(node.idxname), dotted((*schema, node.relation.relname)), node, where)


def _always(where: str, offset: int) -> str:
    return where


def wanted(text: str, at: Callable[..., str]) -> list[Wanted]:
    """Read the statements of a step.

    :param at: the place of the text, and of a character of it: its ``offset``.
    :raises PlanError: for what is no CREATE INDEX with a name, or none that can be built so.
    """
    found: list[Wanted] = []
    for item in located(text, lambda offset: at(offset=offset)):
        found.append(_wanted(item, [each.name for each in found]))
    if not found:
        raise PlanError("There is no CREATE INDEX in this SQL", where=at(), hint="Take the step out of the plan.")
    return found


def _wanted(item: Located, before: list[str]) -> Wanted:
    node = unwrap(parse_one(item.statement.text).stmt)
    if item.statement.kind != "IndexStmt":
        raise PlanError(
            f"{item.name} builds no index", where=item.where, hint="Put it into a step of its own: `- sql: ...`."
        )
    if not node.idxname:
        raise PlanError(
            "The index has no name",
            where=item.where,
            why="After a kill nobody could tell whether it was built.",
            hint="Name it.",
        )
    if node.if_not_exists:
        raise PlanError(
            f"IF NOT EXISTS cannot be said of {node.idxname} here",
            where=item.where,
            why="It takes whatever has this name for the index. The step looks by itself what it has built already.",
            hint="Leave it out.",
        )
    if not node.relation.inh:
        raise PlanError(
            f"ONLY cannot be said of {node.idxname} here",
            where=item.where,
            why="The partitions get the index one after the other, then the whole table has it.",
            hint="Leave it out.",
        )
    if node.idxname in before:
        raise PlanError(f"Two indexes of this step are named {node.idxname}", where=item.where, hint="Rename one.")
    return _of(node, item.where)
