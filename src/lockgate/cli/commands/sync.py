"""``lockgate sync``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import options, service
from lockgate.cli.output import Output


@click.command("sync")
@options.plan
@options.database
@click.option(
    "--every", type=click.FloatRange(1), default=60.0, show_default=True, metavar="SECONDS", help="Between two lines."
)
@options.output
def command(plan: Path | None, database: str | None, every: float, output: Output) -> None:
    """Keep live mappings in step, as a service between phases.

    Applies what the application writes to the old tables to the new ones, for weeks if need be; an apply does
    so itself while it runs, and then this stands by. Start it again as often as you like: several of them take
    turns. A lost connection is made again; a table that fits its mapping no more holds up no other, and `status`
    says why as an alarm. SIGTERM ends it cleanly, with exit code 0.

    \b
    Example:
      lockgate sync my-plan --database postgresql://me@db.example/shop
    """
    from lockgate.engine.applying import serve

    service.run(output, plan, database, every, serve, "applies the changes of", "this batch")
