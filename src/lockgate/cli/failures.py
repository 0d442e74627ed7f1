"""How an error is told: what, where, why and what to do; never a traceback, never a secret."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli import secrets
from lockgate.cli.output import Output, coloured
from lockgate.errors import ExitCode, LockgateError

if TYPE_CHECKING:
    import psycopg

DEBUG = "LOCKGATE_DEBUG"
_SAFE_CLASSES = ("08", "25", "3D", "3F", "42", "53", "55", "57")  # their messages name objects, never values
_LOST = ("08", "57")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is shown.

    :param kind: the class of the error, for programs that read the JSON.
    :param problems: of an error that is about many places: ``where`` and ``what`` of each.
    """

    kind: str
    exit_code: int
    what: str
    where: str | None = None
    why: str | None = None
    hint: str | None = None
    problems: tuple[dict[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that ``--format json`` prints."""
        found = {"kind": self.kind, "exit_code": self.exit_code, "what": self.what}
        more = {"where": self.where, "why": self.why, "do": self.hint}
        problems = {"problems": list(self.problems)} if self.problems else {}
        return {"error": found | {name: text for name, text in more.items() if text} | problems}

    def as_lines(self) -> list[str]:
        """The lines that people read, the first one says what."""
        parts = (("Where", self.where), ("Why", self.why), ("Do", self.hint))
        return [self.what, *(_labelled(name, text) for name, text in parts if text)]


def explain(error: BaseException) -> Failure:
    """What to say about any error that ends a command."""
    if isinstance(error, LockgateError):
        kind = type(error).__name__
        found = tuple({"where": p.where, "what": p.what} for p in getattr(error, "problems", ()))
        return Failure(kind, int(error.exit_code), error.what, error.where, error.why, error.hint, found)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure(
            "Interrupted",
            int(ExitCode.INTERRUPTED),
            "Interrupted",
            hint="Nothing is lost: run the same command again; `lockgate apply` goes on where it stopped.",
        )
    if isinstance(error, click.UsageError):
        help_hint = f"See `{error.ctx.command_path} --help`." if error.ctx else "See `lockgate --help`."
        return Failure("UsageError", int(ExitCode.USAGE), error.format_message(), hint=help_hint)
    if isinstance(error, click.ClickException):
        return Failure(type(error).__name__, int(ExitCode.FAILED), error.format_message())
    if isinstance(error, OSError) and error.filename is not None:
        where = str(error.filename)
        return Failure("FileError", int(ExitCode.FAILED), f"A file cannot be used: {error.strerror}", where)
    return _unexpected(error)


def unwritable(error: OSError) -> LockgateError:
    """The error to tell when standard output takes nothing any more; it is told on standard error."""
    return LockgateError(
        "The output cannot be written", why=error.strerror, hint="Write it elsewhere; what was done is in the ledger."
    )


def report(error: BaseException, args: Sequence[str]) -> int:
    """Tell the error on stderr, or as an object on stdout for ``--format json``; its exit code."""
    failure = explain(error)
    if os.environ.get(DEBUG):
        click.echo(secrets.hidden("".join(traceback.format_exception(error))), err=True, nl=False)
    if wants_json(args):
        Output("json").event(failure.as_json())
        return failure.exit_code
    first, *rest = failure.as_lines()
    color = coloured(sys.stderr, no_color="--no-color" in args)
    head = click.style("Error:", fg="red", bold=True) if color else "Error:"
    click.echo(secrets.hidden("\n".join([f"{head} {first}", *rest])), err=True, color=color)
    return failure.exit_code


def wants_json(args: Sequence[str]) -> bool:
    """Whether ``--format json`` was given; asked of the words, because they may be what is wrong."""
    return "--format=json" in args or ("--format", "json") in pairwise(args)


def _unexpected(error: BaseException) -> Failure:
    if (found := _of_database(error)) is not None:
        return found
    return Failure(
        "Bug",
        int(ExitCode.FAILED),
        f"This is a bug in Lockgate: {type(error).__name__}",
        where=_place(error),
        hint=f"Run it again with {DEBUG}=1 for the details, and report them. What was done is in the ledger.",
    )


def _of_database(error: BaseException) -> Failure | None:
    """An error of the driver that nobody caught; None for others."""
    if not type(error).__module__.startswith("psycopg"):
        return None
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Failure(
            "Cancelled",
            int(ExitCode.FAILED),
            "The server has cancelled a statement",
            why=_message(error),
            hint="If a statement_timeout of the role or the database is too short, raise it; run the command again.",
        )
    if state.startswith(_LOST) or (isinstance(error, psycopg.OperationalError) and not state):
        return Failure(
            "ConnectionLost",
            int(ExitCode.FAILED),
            "The connection to the database was lost",
            why=_message(error),
            hint="Nothing is lost: run the same command again when the server answers.",
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Failure(
            "PrivilegeMissing",
            int(ExitCode.FAILED),
            "The role may not do this",
            why=_message(error),
            hint="`lockgate grants` prints what the operator's role needs.",
        )
    return Failure(
        "Bug",
        int(ExitCode.FAILED),
        f"This is a bug in Lockgate: {type(error).__name__}" + (f" (SQLSTATE {state})" if state else ""),
        where=_place(error),
        why=_message(error),
        hint=f"Run it again with {DEBUG}=1 for the details, and report them. What was done is in the ledger.",
    )


def _message(error: psycopg.Error) -> str | None:
    """The server's own words, only where they cannot hold a value of a row."""
    state = error.sqlstate or ""
    if state.startswith(_SAFE_CLASSES):
        return error.diag.message_primary
    return " ".join(str(error).split()) if not state else None


def _place(error: BaseException) -> str | None:
    """The last line of our own code that the error passed through."""
    package = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if package in Path(frame.filename).parents]
    return f"{Path(ours[-1].filename).relative_to(package.parent)}:{ours[-1].lineno}" if ours else None


def _labelled(name: str, text: str) -> str:
    """Further lines of the text stand under its first one."""
    label = f"{name}: "
    return f"  {label}" + text.rstrip().replace("\n", "\n  " + " " * len(label))
