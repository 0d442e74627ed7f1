"""What is examined: the statements of one text, in which transaction each of them runs, and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lockgate.sql.script import Piece, pieces
from lockgate.sql.tree import Node, enum

NEWEST = 18
"""The newest major version of the server that the rules know; they take it for the server's if none is given."""
OLDEST = 14

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a text.

    :param index: its number in the text, from 0.
    :param node: the parser's message of its kind, such as ``IndexStmt``.
    :param text: as it was written, from its first word on, without the semicolon.
    :param start: the character of the text at which it begins.
    :param end: the character behind it.
    :param block: which transaction block it is in, numbered from 0; None if it commits by itself.
    """

    index: int
    kind: str
    node: Node
    text: str
    start: int
    end: int
    block: int | None


class Subject(NamedTuple):
    """A text of SQL that runs as one: a file, one direction of a migration, a step of a plan.

    :param at: ``file:line:column`` of a character of the text.
    :param wrapped: whether whoever runs it puts a transaction around it.
    :param major: of the server.
    :param direction: ``down`` for what takes something back.
    :param patient: whether whoever runs it sees to lock_timeout.
    """

    text: str
    at: Callable[[int], str]
    statements: tuple[Statement, ...]
    wrapped: bool = False
    major: int = NEWEST
    direction: Direction = "up"
    patient: bool = False

    def together(self, statement: Statement) -> tuple[Statement, ...]:
        """The statements of the same transaction, itself too."""
        if statement.block is None:
            return (statement,)
        return tuple(other for other in self.statements if other.block == statement.block)


def subject(
    text: str,
    at: Callable[[int], str],
    *,
    found: list[Piece] | None = None,
    wrapped: bool = False,
    major: int = NEWEST,
    direction: Direction = "up",
    patient: bool = False,
) -> Subject:
    """Read a text.

    :param found: its statements, if they were read already.
    :raises SqlSyntaxError: if it is not SQL.
    """
    statements = []
    block: int | None = 0 if wrapped else None
    used = 0
    for index, piece in enumerate(pieces(text) if found is None else found):
        word = enum(piece.node, "kind") if piece.kind == "TransactionStmt" else ""
        if word in _BEGINS and block is None:
            used += 1
            block = used
        statements.append(Statement(index, piece.kind, piece.node, piece.text, piece.start, piece.end, block))
        if word in _ENDS:
            block = None
    return Subject(text, at, tuple(statements), wrapped, major, direction, patient)


_BEGINS = frozenset({"TRANS_STMT_BEGIN", "TRANS_STMT_START"})
_ENDS = frozenset({"TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK", "TRANS_STMT_PREPARE"})
