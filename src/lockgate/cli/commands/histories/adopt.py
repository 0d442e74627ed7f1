"""``lockgate history adopt``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, folders, options, secrets
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.history.base import Tool
    from lockgate.migrating.adopting import Found

SHOWN = 30


@click.command("adopt")
@folders.folder
@options.database
@click.option("--on", metavar="URL", help="Server for the scratch database. Default: a throw-away server here.")
@click.option(
    "--before",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="SQL that makes what the first migration finds there, where that is not an empty database.",
)
@click.option(
    "--accept-differences", is_flag=True, help="Record what is there although the schema is not quite the same."
)
@options.yes
@options.output
def command(
    tool: Callable[[], Tool],
    database: str | None,
    on: str | None,
    before: Path | None,
    accept_differences: bool,
    yes: bool,
    output: Output,
) -> int:
    """Find out where a database stands whose history is elsewhere or nowhere, and record it.

    The folder is applied to a scratch database, one migration after the other, and the schema after each is
    compared with the real one. Where they are equal, that is where the database stands; else the closest is
    shown with what differs, and nothing is recorded unless --accept-differences says so. Owners and grants are
    not compared. Nothing is run on the database itself.

    \b
    Example:
      lockgate history adopt migrations --database postgresql://me@db.example/shop
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.migrating import adopting

    opened = tool()
    base = None if before is None else before.read_text("utf-8")
    if on is not None:
        secrets.remember(on)
    sessions = context.sessions(database)
    with stop_on_signal("the present file") as stop, shown(output, sessions.clock) as progress:
        found = adopting.look(sessions, opened, on=on, before=base, progress=progress, stop=stop)
    differs = bool(found.closest.differences)
    _tell(output, found)
    if found.recorded or (differs and not accept_differences):
        return ExitCode.FAILED
    if not found.unrecorded:
        return ExitCode.DONE
    count = len(found.unrecorded)
    options.confirm(f"Record {count} migration{'' if count == 1 else 's'} as applied in {found.home}?", yes=yes)
    with stop_on_signal("the present file") as stop, shown(output, sessions.clock) as progress:
        adopting.record(sessions, found, progress=progress, stop=stop)
    if output.json:
        output.event({"event": "recorded", "migrations": [each.version for each in found.unrecorded]})
    else:
        output.line(f"Recorded {count} in {found.home}; nothing was run.", "good")
    return ExitCode.DONE


def _tell(output: Output, found: Found) -> None:
    closest = found.closest
    if output.json:
        output.event(
            {
                "event": "result",
                "tool": found.tool.name,
                "history": str(found.home),
                "stands_at": closest.migration.version if closest.migration is not None else None,
                "differences": [str(each) for each in closest.differences],
                "unrecorded": [each.version for each in found.unrecorded],
                "recorded_but_absent": [each.version for each in found.recorded],
            }
        )
        return
    how = "exactly" if not closest.differences else f"with {len(closest.differences)} differences"
    output.line(f"The database stands at {closest.name}, {how}.", "title")
    for difference in closest.differences[:SHOWN]:
        output.line(f"  {difference}", "warn")
    if len(closest.differences) > SHOWN:
        output.line(f"  ... and {len(closest.differences) - SHOWN} more; --format json lists all.", "warn")
    for migration in found.recorded:
        output.line(f"  {migration.name} is in the history, and what it makes is not in the database", "bad")
    if closest.differences:
        output.line(
            "Make the database what the folder says, or write the differences as a migration; "
            "--accept-differences records it as it is."
        )
    elif not found.unrecorded and not found.recorded:
        output.line("The history says the same: nothing to record.", "good")
