"""``lockgate archive hold``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import archived as common
from lockgate.cli import options
from lockgate.cli.output import Output


@click.command("hold")
@common.tables
@click.option("--all", "every", is_flag=True, help="All tables that the plan has in the archive now.")
@click.option("--reason", metavar="TEXT", required=True, help="Why, such as the number of the case.")
@common.by
@common.plan
@options.database
@options.output
def command(
    tables: tuple[str, ...],
    every: bool,
    reason: str,
    by: str | None,
    plan: Path | None,
    database: str | None,
    output: Output,
) -> None:
    """Put a legal hold on archived tables.

    While it stands, no row of the table is erased, the table is not dropped, whatever its retention, and no
    rollback takes it out of the archive. A table may have several holds; each has its own reason.

    \b
    Example:
      lockgate archive hold core.entities --reason "case 12/2026"
    """
    from lockgate import erasure

    common.refuse_both(tables, every)
    sessions, name = common.place(plan, database)
    common.tell_holds(output, "held", erasure.hold(sessions, name, tables, reason, by or common.user()))
