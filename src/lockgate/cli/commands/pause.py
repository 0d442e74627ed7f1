"""``lockgate pause``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import live, options
from lockgate.cli.output import Output


@click.command("pause")
@options.plan
@options.database
@click.option("--reason", help="Why; `lockgate status` shows it.")
@options.output
def command(plan: Path | None, database: str | None, reason: str | None, output: Output) -> None:
    """Hold the work of a running apply within one chunk.

    It works from any host, and before a run begins. What sync applies is not paused: the new tables stay in
    step.

    \b
    Example:
      lockgate pause my-plan --reason "sale until noon"
    """
    changed = live.change(plan, database, paused=True, reason=reason)
    live.tell(output, changed, f"Plan {changed.plan} is paused.", "`lockgate resume` lets it go on.")
