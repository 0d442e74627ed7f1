"""The statements of a text, each with its place in a file and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from lockgate.engine.masking import mask
from lockgate.errors import PlanError
from lockgate.script.statements import Shape, shape
from lockgate.sql.split import Statement, split

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Located:
    """A statement of a step.

    :param at: the place in the plan of a character of the statement's text.
    """

    statement: Statement
    shape: Shape
    at: Callable[[int], str]

    @property
    def where(self) -> str:
        """The place of its first word."""
        text = self.statement.text
        return self.at(_COMMENTS.match(text).end())  # type: ignore[union-attr]  # matches the empty text too

    @property
    def name(self) -> str:
        """How it is called in a message: its first words, without comments and values."""
        return " ".join(mask(self.statement.text).split()[:5])


def allowed(text: str, at: Callable[..., str], *, alone: bool = False) -> list[Located]:
    """The statements of a text of the plan.

    :param at: the place of the text, and of a character of it: its ``offset``.
    :param alone: whether each may run outside of a transaction.
    :raises PlanError: if there is none, or one that cannot run under Lockgate.
    """
    found = list(located(text, lambda offset: at(offset=offset)))
    if not found:
        raise PlanError("There is no statement in this SQL", where=at(), hint="Take it out of the plan.")
    for item in found:
        if item.shape.refusal:
            raise PlanError(f"{item.name} cannot run here", where=item.where, why=item.shape.refusal)
        if item.shape.alone and not alone:
            raise PlanError(
                f"{item.name} cannot run inside a transaction",
                where=item.where,
                why="PostgreSQL forbids it in a transaction block.",
                hint="Put it into a step of its own with `outside_transaction: true`.",
            )
    return found


def located(text: str, at: Callable[[int], str]) -> Iterator[Located]:
    """The statements of a text.

    :param at: the place of a character of ``text``.
    """
    end = 0
    for statement in split(text):
        start = text.index(statement.text, end)
        end = start + len(statement.text)
        yield Located(statement, shape(statement), partial(_further, at, start))


def _further(at: Callable[[int], str], start: int, offset: int) -> str:
    return at(start + offset)
