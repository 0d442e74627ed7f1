"""``lockgate status``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import options, status_text
from lockgate.cli.output import Output
from lockgate.errors import ExitCode


@click.command("status")
@options.plan
@options.database
@options.output
def command(plan: Path | None, database: str | None, output: Output) -> int:
    """Show how far the plan is and what it waits for.

    Phases and steps, who works, how far the new tables are behind, what is waited for and which command
    releases it. Changes nothing. Exits with 1 when something is an alarm: a phase failed, or nobody applies the
    changes that wait.

    \b
    Example:
      lockgate status my-plan --database postgresql://me@db.example/shop
    """
    with status_text.looking(plan, database) as look:
        found = look()
    if output.json:
        output.object(status_text.as_json(found))
    else:
        for text, style in status_text.lines(found):
            output.line(text, style)
    return ExitCode.FAILED if found.alarms else ExitCode.DONE
