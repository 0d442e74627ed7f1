"""``lockgate archive release``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import archived as common
from lockgate.cli import options
from lockgate.cli.output import Output
from lockgate.errors import UsageError


@click.command("release")
@common.tables
@click.option("--all", "every", is_flag=True, help="All tables of the plan that are under legal hold.")
@click.option("--number", metavar="N", type=int, help="The hold of this number, where a table has several.")
@click.option("--reason", metavar="TEXT", required=True, help="Why the hold is over.")
@common.by
@common.plan
@options.database
@options.output
def command(
    tables: tuple[str, ...],
    every: bool,
    number: int | None,
    reason: str,
    by: str | None,
    plan: Path | None,
    database: str | None,
    output: Output,
) -> None:
    """Release legal holds.

    \b
    Example:
      lockgate archive release core.entities --reason "case 12/2026 is closed"
    """
    from lockgate import erasure

    if number is None:
        common.refuse_both(tables, every)
    elif tables or every:
        raise UsageError("A hold's number says which table it is on", hint="Leave out --all and the names of tables.")
    sessions, name = common.place(plan, database)
    common.tell_holds(output, "released", erasure.release(sessions, name, tables, number, reason, by or common.user()))
