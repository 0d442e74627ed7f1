"""What a rule is given to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.safety.finding import Severity
from lockgate.safety.known import Key, Known, Table, key
from lockgate.safety.rule import Found
from lockgate.safety.subject import Statement, Subject
from lockgate.sql import ddl, tree
from lockgate.sql.tree import Node


@dataclass(slots=True)
class Context:
    """One statement, or one part of it, before it runs.

    :param node: of the statement.
    :param part: what the event is about: a command of ALTER TABLE, a column, a constraint; else the statement.
    :param known: what the statements before it made.
    :param adds: of a column or constraint: whether it is added to a table that was there before.
    :param relation: the table that a column, a constraint or a command is of: its ``RangeVar``.
    :param column: of a constraint that stands at a column: its ``ColumnDef``.
    :param facts: what the catalog says; None while no database is asked.
    :param values: whether rewrites may show constants.
    :param locked: the tables that statements up to here lock strongly, by the number of the statement; without those
        that the text has made itself.
    :param up: the kinds of what the way up does, for the way down of a migration.
    """

    subject: Subject
    statement: Statement
    node: Node
    part: Node
    known: Known
    adds: bool = False
    relation: Node | None = None
    column: Node | None = None
    facts: object | None = None
    values: bool = False
    up: Mapping[str, int] = field(default_factory=dict)
    locked: Mapping[int, tuple[Key, ...]] = field(default_factory=dict)

    @property
    def major(self) -> int:
        """Of the server."""
        return self.subject.major

    @property
    def in_transaction(self) -> bool:
        """Whether the statement is in a transaction block."""
        return self.statement.block is not None

    @property
    def table(self) -> str:
        """The table that a command, a column or a constraint is of, as one would write it."""
        return ddl.relation(self.relation) if self.relation is not None else ""

    @property
    def key(self) -> Key:
        """The same, to look it up."""
        return key(self.relation) if self.relation is not None else ("", "")

    @property
    def shape(self) -> Table:
        """What the texts say of it; an empty ``Table`` if nothing."""
        return self.known.tables.get(self.key) or Table()

    @property
    def is_new(self) -> bool:
        """Whether the text itself made the table, so that nobody else uses it."""
        return self.relation is not None and (self.known.is_new(self.key) or self.relation.relpersistence == "t")

    def at(self, statement: Statement) -> Context:
        """The same at another statement of the text, for what is said of it at the text's end."""
        return self.of(statement.node, statement=statement)

    def of(
        self,
        part: Node,
        relation: Node | None = None,
        *,
        adds: bool = False,
        column: Node | None = None,
        statement: Statement | None = None,
    ) -> Context:
        """The same for a part of the statement, or another statement. Written out, because it is called so often."""
        statement = statement or self.statement
        return Context(
            self.subject,
            statement,
            statement.node,
            part,
            self.known,
            adds,
            relation,
            column,
            self.facts,
            self.values,
            self.up,
            self.locked,
        )

    def found(
        self,
        what: str,
        why: str,
        rewrite: str = "",
        *,
        severity: Severity | None = None,
        settled: bool = False,
    ) -> Found:
        """A finding at the place of ``part``, or of the statement where that has none."""
        place = tree.location(self.part) if self.part is not self.node else -1
        at = self.statement.start if place < 0 else tree.character_offset(self.subject.text, place)
        return Found(what, why, rewrite, at, self.statement, severity, settled)

    def sql(self, statement: Node) -> str:
        """A statement that was made of this one, as SQL with its semicolon; empty if it cannot be written."""
        text = ddl.written(statement, values=self.values)
        return f"{text};" if text else ""

    def expression(self, node: Node) -> str:
        """An expression as SQL, without its constants."""
        return ddl.expression(node, values=self.values)

    @staticmethod
    def referenced(constraint: Node) -> str:
        """The table that a foreign key refers to, as one would write it."""
        return ddl.relation(constraint.pktable)
