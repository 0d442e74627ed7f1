"""Examining a text: each statement is walked through once, and whoever asked for what is met there is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lockgate.safety.context import Context
from lockgate.safety.finding import Finding, Tier
from lockgate.safety.growing import grow
from lockgate.safety.known import Key, Known
from lockgate.safety.registry import by_event
from lockgate.safety.rule import COLUMN, CONSTRAINT, TEXT_END, Answer, Found, Rule
from lockgate.safety.strong import strong
from lockgate.safety.subject import Statement, Subject
from lockgate.sql.ddl import enum
from lockgate.sql.tree import Node, unwrap

Answers = Mapping[tuple[str, Tier], Answer]


@dataclass(frozen=True, slots=True)
class Told:
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
    :param wanted: the codes to look for; None for all.
    """

    known: Known = field(default_factory=Known)
    facts: object | None = None
    answers: Answers = field(default_factory=dict)
    reached: tuple[Tier, ...] = (Tier.TEXT,)
    values: bool = False
    wanted: frozenset[str] | None = None

    def examine(self, subject: Subject, *, up: Subject | None = None) -> list[Told]:
        """What is to be said of a text, in the order of its statements.

        :param up: of a migration's way down: its way up.
        """
        self.known.next_text()
        rules = by_event()
        kinds = _kinds(up) if up is not None else {}
        found: list[Told] = []
        locked: dict[int, tuple[Key, ...]] = {}
        context: Context | None = None
        for statement in subject.statements:
            node = statement.node
            context = Context(
                subject,
                statement,
                node,
                node,
                self.known,
                facts=self.facts,
                values=self.values,
                up=kinds,
                locked=locked,
            )
            for rule in rules.get("*", ()):
                found += self._asked(rule, context)
            for event, part in events(context):
                for rule in rules.get(event, ()):
                    found += self._asked(rule, part)
            names = tuple(name for name in strong(statement) if not self.known.is_new(name))
            if names:
                locked[statement.index] = names
            grow(self.known, statement)
        if context is not None:
            for rule in rules.get(TEXT_END, ()):
                found += self._asked(rule, context)
        return found

    def _asked(self, rule: Rule, context: Context) -> Iterator[Told]:
        if self.wanted is not None and rule.code not in self.wanted:
            return
        so_far: Iterable[Found] = rule.check(context) if rule.check else ()
        tier = Tier.TEXT
        for reached in self.reached[1:]:
            answer = self.answers.get((rule.code, reached))
            if answer is not None:
                so_far, tier = answer(context, list(so_far)), reached
        for found in so_far:
            yield Told(finding(rule, found, context, tier, self.reached), found.statement or context.statement)


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
        unseen,
    )


def events(context: Context) -> Iterator[tuple[str, Context]]:
    """What is met in a statement: it itself, its commands, and the columns and constraints that it makes."""
    node, kind = context.node, context.statement.kind
    if kind == "AlterTableStmt":
        relation = node.relation
        yield kind, replace(context, relation=relation)
        for command in node.cmds:
            inner = command.alter_table_cmd
            yield from _command(replace(context, relation=relation, part=inner), inner)
    elif kind in _MAKES_TABLES:
        yield kind, replace(context, relation=node.relation if kind == "CreateStmt" else node.base_stmt.relation)
        base = node if kind == "CreateStmt" else node.base_stmt
        inside = replace(context, relation=base.relation)
        for element in base.table_elts:
            yield from _element(inside, unwrap(element))
    elif "relation" in node.DESCRIPTOR.fields_by_name and node.HasField("relation"):
        yield kind, replace(context, relation=node.relation)
    else:
        yield kind, context


_MAKES_TABLES = frozenset({"CreateStmt", "CreateForeignTableStmt"})


def _command(context: Context, command: Node) -> Iterator[tuple[str, Context]]:
    word = enum(command, "subtype")
    yield word, context
    if word in {"AT_AddColumn", "AT_AddConstraint"}:
        yield from _element(replace(context, adds=True), unwrap(getattr(command, "def")))


def _element(context: Context, element: Node) -> Iterator[tuple[str, Context]]:
    if element is None:
        return
    name = element.DESCRIPTOR.name
    if name == "ColumnDef":
        yield COLUMN, replace(context, part=element)
        for item in element.constraints:
            yield CONSTRAINT, replace(context, part=item.constraint, column=element)
    elif name == "Constraint":
        yield CONSTRAINT, replace(context, part=element)


def _kinds(subject: Subject) -> dict[str, int]:
    found: dict[str, int] = {}
    for statement in subject.statements:
        found[statement.kind] = found.get(statement.kind, 0) + 1
    return found
