"""Running SQL of the plan: what is refused, where an error is, and how locks are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.retry import Policy, passing
from lockgate.engine.strong import StrongLock
from lockgate.errors import PlanError
from lockgate.plan.models import SqlStep
from lockgate.sql.split import Statement, split
from lockgate.steps.statements import Shape, shape


def validate(step: SqlStep, where: str) -> list[tuple[Statement, Shape]]:
    """The statements of a step with what is known of them.

    :raises PlanError: if there is none, or one that cannot run under Lockgate.
    """
    statements = split(step.sql)
    if not statements:
        raise PlanError("There is no statement in this SQL", where=where, hint="Take the step out of the plan.")
    shapes = [shape(statement) for statement in statements]
    for statement, known in zip(statements, shapes, strict=True):
        at = at_line(where, statement.line - 1)
        if known.refusal:
            raise PlanError(f"{first_words(statement)} cannot run here", where=at, why=known.refusal)
        if known.alone and not step.outside_transaction:
            raise PlanError(
                f"{first_words(statement)} cannot run inside a transaction",
                where=at,
                why="PostgreSQL forbids it in a transaction block.",
                hint="Put it into a step of its own with `outside_transaction: true`.",
            )
    return list(zip(statements, shapes, strict=True))


def at_line(where: str, line: int) -> str:
    """The place ``line`` lines (from 0) below the beginning of a step's SQL."""
    file, _, _ = where.partition(":")
    if file.endswith(".sql"):
        return f"{file}:{line + 1}:1"
    return where if line == 0 else f"{where}, line {line + 1} of the SQL"


def first_words(statement: Statement) -> str:
    """How a statement is called in a message: its first words, without comments."""
    lines = [text for text in statement.text.splitlines() if not text.strip().startswith("--")]
    return " ".join(" ".join(lines).split()[:5])


def execute(conn: Connection[Any], statement: Statement, where: str) -> None:
    """Run one statement.

    :raises LockgateError: with its line, unless trying again may help.
    """
    try:
        conn.execute(statement.text.encode())
    except psycopg.Error as error:
        if passing(error):
            raise
        at = at_line(where, statement.line - 1 + sqlerrors.line_of(error, statement.text))
        raise sqlerrors.explain(error, at, f"{first_words(statement)} ... failed") from error


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
