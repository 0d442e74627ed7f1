"""``lockgate resume``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import live, options
from lockgate.cli.output import Output


@click.command("resume")
@options.plan
@options.database
@options.output
def command(plan: Path | None, database: str | None, output: Output) -> None:
    """Let paused work go on.

    A run that was stopped or killed is resumed by `lockgate apply`, not by this.

    \b
    Example:
      lockgate resume my-plan
    """
    changed = live.change(plan, database, paused=False, reason=None)
    live.tell(output, changed, f"Plan {changed.plan} may go on.", None)
