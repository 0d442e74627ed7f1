"""``lockgate uninstall``."""

from __future__ import annotations

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output


@click.command("uninstall")
@options.database
@options.yes
@options.output
def command(database: str | None, yes: bool, output: Output) -> None:
    """Remove Lockgate's own objects from the database.

    Schema lockgate goes with all that hangs on it: the history of every plan, the evidence, rejected rows,
    kept old values, and the triggers on your tables, so nothing is kept in step any more and nothing can be
    rolled back. Your tables, old and new, stay as they are. Write the report first.

    \b
    Example:
      lockgate report my-plan --output report.md
      lockgate uninstall --database postgresql://me@db.example/shop
    """
    from lockgate.ledger import uninstall, version
    from lockgate.report.plans import names

    with context.sessions(database).open("uninstall") as conn:
        if version(conn) is None:
            _tell(output, False, [])
            return
        plans = names(conn)
        lost = f"the history of {', '.join(plans)}" if plans else "an empty ledger"
        options.confirm(f"Remove schema lockgate from database {conn.info.dbname}, with {lost}?", yes=yes)
        _tell(output, uninstall(conn), plans)


def _tell(output: Output, removed: bool, plans: list[str]) -> None:
    if output.json:
        output.object({"removed": removed, "plans": plans})
    else:
        output.line("Removed schema lockgate." if removed else "There was nothing of Lockgate in this database.")
