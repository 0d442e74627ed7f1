"""``lockgate work``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import options, service
from lockgate.cli.output import Output


@click.command("work")
@options.plan
@options.database
@click.option(
    "--every", type=click.FloatRange(1), default=60.0, show_default=True, metavar="SECONDS", help="Between two lines."
)
@options.output
def command(plan: Path | None, database: str | None, every: float, output: Output) -> None:
    """Join a running step as another worker.

    From any host that reaches the database. It takes chunks of the step that an apply works on, waits for the
    next step, and ends by Ctrl-C or SIGTERM after its chunk. A worker that is killed loses nothing: its chunk
    is free again at once.

    \b
    Example:
      lockgate work my-plan --database postgresql://me@db.example/shop
    """
    from lockgate.engine.workers import work

    service.run(output, plan, database, every, work, "helps with", "the present chunk")
