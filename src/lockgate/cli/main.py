"""``lockgate``: the group of all commands, and the one place where errors end."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from lockgate import __version__
from lockgate.cli.lazy import LazyGroup
from lockgate.errors import ExitCode

COMMANDS = {
    "init": "Write a plan folder to start from.",
    "plan": "Show what would happen; touch nothing.",
    "lint": "Find hazards in SQL by its text, without a database.",
    "check": "Find hazards of what is pending in a live database; touch nothing.",
    "discover": "Say what is wrong with a database that nobody fully knows; touch nothing.",
    "rehearse": "Run the whole plan on a copy of the database, and say what it did.",
    "apply": "Run the plan's phases, or go on where a run stopped.",
    "sync": "Keep live mappings in step, as a service between phases.",
    "sample": "Keep what the server has counted of tables, for gates that ask whether they are used.",
    "standing": "Make the plan's standing checks, and tell who must know.",
    "status": "Show how far the plan is and what it waits for.",
    "watch": "Show the status again and again.",
    "pause": "Hold the work of a running apply within one chunk.",
    "resume": "Let paused work go on.",
    "tune": "Change workers and chunk size while the work runs.",
    "work": "Join a running step as another worker.",
    "verify": "Check again that what was done still holds.",
    "rollback": "Take phases back.",
    "approve": "Approve this plan for this schema.",
    "history": "Work with the migrations of another tool, and keep its history.",
    "backup": "Back up the database, and prove it by restoring it.",
    "snapshot": "Prove a provider's snapshot or branch as a backup.",
    "restore": "Restore tables, a schema or a whole database from a backup.",
    "partitions": "Make partitions ahead of time and retire old ones, as the plan declares.",
    "archive": "Erase a person's rows from archived tables, and hold tables for a court.",
    "report": "Write the report from the ledger.",
    "doctor": "Look for whatever is wrong or will be.",
    "schema": "Print the JSON Schema of plan.yaml.",
    "grants": "Print the least privileges, as SQL.",
    "uninstall": "Remove Lockgate's own objects from the database.",
    "demo": "Watch a live database change its model.",
}


# What writing fails with when the reader left, the disk is full, or nothing can be written at all.
_UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


class Cli(LazyGroup):
    """The group whose errors are all told in one way."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        if sys.stdout is None:  # whoever started it has closed it: nobody reads
            sys.exit(ExitCode.FAILED)
        try:
            sys.exit(self._told(words, *rest, **extra))
        except BrokenPipeError:  # the reader left
            _leave_output()
        except OSError as error:
            from lockgate.cli import failures

            _leave_output()
            failures.report(failures.unwritable(error), ())
        sys.exit(ExitCode.FAILED)

    def _told(self, words: list[str], *rest: Any, **extra: Any) -> int:
        """Run a command and tell its error; the exit code.

        :raises OSError: when standard output takes nothing any more.
        """
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
                raise
            from lockgate.cli import failures

            return failures.report(error, words)
        return code if isinstance(code, int) else ExitCode.DONE


def _leave_output() -> None:
    """What is still buffered must not raise again when Python closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


cli = Cli(
    "lockgate",
    package="lockgate.cli.commands",
    commands_help=COMMANDS,
    help="""Move a live PostgreSQL database from one data model to the next, phase by phase, without losing a write.

    A plan is a folder with plan.yaml and .sql files. Start with `lockgate demo`, or with `lockgate init`.

    \b
    Example:
      lockgate plan my-plan --database postgresql://me@db.example/shop
      lockgate apply my-plan --database postgresql://me@db.example/shop
    """,
)
click.version_option(__version__, prog_name="lockgate", message="%(prog)s %(version)s")(cli)


COLLECTED = (50_000, 20, 100)
"""How rarely a command looks for garbage."""


def main() -> NoReturn:
    """Entry point of the program ``lockgate``."""
    # Modules and what a command reads stay until its end: to look through them for garbage again and again finds none.
    gc.set_threshold(*COLLECTED)
    try:
        cli.main(prog_name="lockgate")
    finally:
        gc.freeze()  # Python would look through all of it once more as it ends, which takes longer than to lint a file
