"""Options that several commands share: which plan, which database, which output."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from lockgate.cli.output import Output
from lockgate.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class _Duration(click.ParamType[timedelta]):
    """A time as plans write it: ``30s``, ``24h``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from lockgate.plan.values import parse_duration

        try:
            found = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found <= timedelta(0):
            self.fail("must be longer than 0", param, ctx)
        return found


DURATION = _Duration()


def database(function: F) -> F:
    """``--database``; the command gets ``database: str | None``."""
    return click.option(
        "--database",
        "-d",
        metavar="URL",
        help="Address of the database. Default: DATABASE_URL, then libpq's PG* variables and service file.",
    )(function)


def plan(function: F) -> F:
    """A plan folder as an argument or ``--plan``; the command gets ``plan: Path | None``, None if none was given."""

    @wraps(function)
    def joined(*args: Any, folder: Path | None, plan: Path | None, **others: Any) -> Any:
        if folder and plan and folder != plan:
            raise UsageError(
                "Two plans were given", where=f"{folder} and {plan}", hint="Name the plan once: as argument or --plan."
            )
        return function(*args, plan=plan or folder, **others)

    option = click.option(
        "--plan",
        "-p",
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="The plan's folder, or its plan.yaml; the same as the argument.",
    )
    argument = click.argument("folder", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
    return option(argument(joined))  # type: ignore[return-value]


def output(function: F) -> F:
    """``--format`` and ``--no-color``; the command gets ``output: Output``."""

    @wraps(function)
    def joined(*args: Any, output_format: Any, no_color: bool, **others: Any) -> Any:
        return function(*args, output=Output(output_format, no_color), **others)

    form = click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )
    color = click.option("--no-color", is_flag=True, help="Never colour; NO_COLOR in the environment does the same.")
    return form(color(joined))  # type: ignore[return-value]


def yes(function: F) -> F:
    """``--yes``; the command gets ``yes: bool``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person; without one, demand ``--yes``.

    :raises UsageError: when the answer is no, or nobody is there to ask.
    """
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to ask", why=f"Asked: {question}", hint="Give --yes to go on without asking.")
    if not click.confirm(question, err=True):
        raise UsageError("Nothing was done", why="The answer was no.")
