"""``lockgate history apply``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, folders, options
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.history.base import Migration, Tool


@click.command("apply")
@folders.folder
@options.database
@click.option("--to", "target", metavar="VERSION", help="The last one to apply. Default: all.")
@click.option("--dry-run", is_flag=True, help="Say what would be applied; touch nothing.")
@options.output
def command(tool: Callable[[], Tool], database: str | None, target: str | None, dry_run: bool, output: Output) -> None:
    """Apply what is pending, and keep the tool's history.

    Each file is split by PostgreSQL's grammar. What may be in one transaction is, together with its line in
    the history; a statement that may not, such as CREATE INDEX CONCURRENTLY, runs on its own, and a run that
    was killed goes on behind it. The tool's own lock is held meanwhile. Nothing is applied while folder and
    history do not fit.

    \b
    Example:
      lockgate history apply migrations --to 20260301120000
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.history.naming import found
    from lockgate.ledger.migrations import By
    from lockgate.migrating import moving
    from lockgate.migrating.desk import at_work

    opened = tool()
    last = None if target is None else found(opened.migrations(), target, str(opened.folder))
    sessions = context.sessions(database)
    if dry_run:
        _tell(output, opened, moving.foreseen(sessions, opened, last), "would be applied")
        return
    by = By(f"history:{opened.name}")
    holder = f"history apply of {opened.folder}"
    with (
        stop_on_signal("the present file") as stop,
        shown(output, sessions.clock) as progress,
        at_work(sessions, holder, progress, stop) as desk,
        moving.opened(desk, opened, by, None) as files,
    ):
        done = moving.bring(files, last)
    _tell(output, opened, done, "applied")


def _tell(output: Output, tool: Tool, done: list[Migration], what: str) -> None:
    if output.json:
        output.event({"event": "result", "tool": tool.name, what.replace(" ", "_"): [each.version for each in done]})
    elif not done:
        output.line("Nothing to do: the database is up to date.", "good")
    else:
        for migration in done:
            output.line(f"  {migration.name}")
        output.line(f"{len(done)} {what}.", "good")
