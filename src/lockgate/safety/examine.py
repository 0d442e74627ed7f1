"""Examining a text: each statement is walked through once, and whoever asked for what is met there is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lockgate.effects import predict
from lockgate.safety.context import Context
from lockgate.safety.finding import Finding, Tier
from lockgate.safety.growing import grow
from lockgate.safety.known import Key, Known, key_of
from lockgate.safety.registry import ALL, by_event
from lockgate.safety.rule import ANY, COLUMN, TEXT_END, Answer, Found, Rule
from lockgate.safety.subject import Statement, Subject
from lockgate.sql.tree import Node, enum, unwrap

Answers = Mapping[tuple[str, Tier], Answer]


class Told(NamedTuple):
    """A finding, and the statement that it is about."""

    finding: Finding
    statement: Statement


@dataclass(slots=True)
class Examiner:
    """Examines texts in the order in which they would run.

    :param facts: what the catalog says, for ``answers``.
    :param answers: what the tiers that are reached add: code and tier -> answer.
    :param reached: the tiers that are.
    :param values: whether rewrites may show constants.
    :param wanted: the codes to look for.
    :param rules: event -> the rules that are asked at it, if they are not those of the texts that are wanted.
    """

    known: Known = field(default_factory=Known)
    facts: object | None = None
    answers: Answers = field(default_factory=dict)
    reached: tuple[Tier, ...] = (Tier.TEXT,)
    values: bool = False
    wanted: frozenset[str] = ALL
    rules: Mapping[str, tuple[Rule, ...]] | None = None

    def examine(self, subject: Subject, *, up: Subject | None = None) -> list[Told]:
        """What is to be said of a text, in the order of its statements.

        :param up: of a migration's way down: its way up.
        """
        self.known.next_text()
        rules = by_event(self.wanted) if self.rules is None else self.rules
        kinds = _kinds(up) if up is not None else {}
        found: list[Told] = []
        locked: dict[int, tuple[Key, ...]] = {}
        context: Context | None = None
        for statement in subject.statements:
            node = statement.node
            context = Context(
                subject, statement, node, node, self.known, False, None, None, self.facts, self.values, kinds, locked
            )
            for event, part in events(context):
                for rule in rules.get(event, ()):
                    self._ask(rule, part, found)
            names = tuple(name for name in _strong(node) if not self.known.is_new(name))
            if names:
                locked[statement.index] = names
            grow(self.known, statement)
        if context is not None:
            for rule in rules.get(TEXT_END, ()):
                self._ask(rule, context, found)
        return found

    def _ask(self, rule: Rule, context: Context, told: list[Told]) -> None:
        so_far: Iterable[Found] = rule.check(context) if rule.check else ()
        tier = Tier.TEXT
        for reached in self.reached[1:]:
            answer = self.answers.get((rule.code, reached))
            if answer is not None:
                so_far, tier = answer(context, list(so_far)), reached
        for found in so_far:
            told.append(Told(finding(rule, found, context, tier, self.reached), found.statement or context.statement))


def finding(rule: Rule, found: Found, context: Context, tier: Tier, reached: tuple[Tier, ...]) -> Finding:
    """A rule's word as it is shown."""
    unseen = () if found.settled else tuple(text for above, text in rule.looks.items() if above not in reached)
    return Finding(
        rule.code,
        rule.name,
        found.severity or rule.severity,
        tier,
        context.subject.at(found.at),
        found.what,
        found.why,
        found.rewrite or rule.instead,
        (*unseen, *found.unseen),
    )


def events(context: Context) -> Iterator[tuple[str, Context]]:
    """What is met in a statement: it itself, its commands, and the columns and constraints that it makes."""
    node, kind = context.node, context.statement.kind
    yield ANY, context
    if kind == "AlterTableStmt":
        relation = node.relation
        yield kind, context.of(node, relation)
        for command in node.cmds:
            yield from _command(context, command.alter_table_cmd, relation)
    elif kind in _MAKES_TABLES:
        base = node if kind == "CreateStmt" else node.base_stmt
        yield kind, context.of(node, base.relation)
        for element in base.table_elts:
            yield from _element(context, unwrap(element), base.relation, adds=False)
    elif "relation" in node.DESCRIPTOR.fields_by_name and node.HasField("relation"):
        yield kind, context.of(node, node.relation)
    else:
        yield kind, context


_MAKES_TABLES = frozenset({"CreateStmt", "CreateForeignTableStmt"})


def _command(context: Context, command: Node, relation: Node) -> Iterator[tuple[str, Context]]:
    word = enum(command, "subtype")
    yield word, context.of(command, relation)
    if word in {"AT_AddColumn", "AT_AddConstraint"}:
        yield from _element(context, unwrap(getattr(command, "def")), relation, adds=True)


def _element(context: Context, element: Node, relation: Node, *, adds: bool) -> Iterator[tuple[str, Context]]:
    if element is None:
        return
    name = element.DESCRIPTOR.name
    if name == "ColumnDef":
        yield COLUMN, context.of(element, relation, adds=adds)
        for item in element.constraints:
            constraint = item.constraint
            yield enum(constraint, "contype"), context.of(constraint, relation, adds=adds, column=element)
    elif name == "Constraint":
        yield enum(element, "contype"), context.of(element, relation, adds=adds)


# They lock rows; their locks of tables stop neither writers nor readers.
_OF_ROWS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_PART = re.compile(r'"((?:[^"]|"")*)"')


def _strong(node: Node) -> Iterator[Key]:
    """The relations whose lock stops writers, or readers too, as far as the text tells."""
    kind = node.DESCRIPTOR.name
    if kind in _OF_ROWS:
        return
    if kind == "RefreshMatViewStmt" and node.concurrent:
        return  # EXCLUSIVE stops writers, and a materialized view has none
    for name in predict(node).strong():
        yield key_of(tuple(part.replace('""', '"') for part in _PART.findall(name)))


def _kinds(subject: Subject) -> dict[str, int]:
    found: dict[str, int] = {}
    for statement in subject.statements:
        if statement.kind != "AlterTableStmt" or any(
            enum(item.alter_table_cmd, "subtype") not in _NOTHING_TO_UNDO for item in statement.node.cmds
        ):
            found[statement.kind] = found.get(statement.kind, 0) + 1
    return found


_NOTHING_TO_UNDO = frozenset({"AT_ValidateConstraint", "AT_SetStatistics", "AT_ClusterOn"})
