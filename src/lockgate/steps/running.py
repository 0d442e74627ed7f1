"""Running SQL of the plan: what is refused, where an error is, and how locks are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.masking import mask
from lockgate.engine.retry import Policy, lost_conflict, passing, retrying
from lockgate.engine.strong import StrongLock
from lockgate.errors import PlanError
from lockgate.plan.models import Phase, SqlStep
from lockgate.sql.split import Statement, split
from lockgate.steps.base import place
from lockgate.steps.statements import Shape, shape

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

T = TypeVar("T")

_PATIENCE = Policy(retries=100, base=0.05, cap=1.0)
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


def statements(loaded: LoadedPlan, phase: Phase, step: SqlStep) -> list[Located]:
    """The statements of a step with what is known of them.

    :raises PlanError: if there is none, or one that cannot run under Lockgate.
    """
    return allowed(step.sql, partial(place, loaded, phase, step, "sql"), alone=step.outside_transaction)


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


def counted(number: int) -> str:
    """``1 statement``, ``2 statements``."""
    return f"{number} statement{'' if number == 1 else 's'}"


def execute(conn: Connection[Any], item: Located) -> None:
    """Run one statement.

    :raises LockgateError: with its place, unless trying again may help.
    """
    try:
        conn.execute(item.statement.text.encode())
    except psycopg.Error as error:
        if passing(error):
            raise
        position = error.diag.statement_position
        where = item.at(int(position) - 1) if position else item.where
        raise sqlerrors.explain(error, where, f"{item.name} ... failed") from error


def strong_lock(ctx: StepContext, where: str, relations: Sequence[str]) -> StrongLock:
    """The way in which a step of this run takes strong locks."""
    return StrongLock(
        sessions=ctx.sessions,
        policy=Policy(ctx.settings.lock_retries),
        clock=ctx.clock,
        progress=ctx.progress,
        stop=ctx.stop,
        purpose="step",
        where=where,
        relations=relations,
    )


def patiently(ctx: StepContext, conn: Connection[Any], work: Callable[[], T]) -> T:
    """Do ``work`` in a fenced transaction, again after a lost conflict: an applier may hold the target's row."""

    def attempt() -> T:
        with ctx.fenced(conn):
            return work()

    return retrying(attempt, policy=_PATIENCE, clock=ctx.clock, may_retry=lost_conflict)
