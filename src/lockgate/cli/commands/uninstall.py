"""``lockgate uninstall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.engine.uninstall import Removed


@click.command("uninstall")
@options.database
@click.option("--force", is_flag=True, help="Also while new tables are kept in step; they no longer follow then.")
@options.yes
@options.output
def command(database: str | None, force: bool, yes: bool, output: Output) -> None:
    """Remove Lockgate's own objects from the database.

    Schema lockgate goes with all that hangs on it: the history of every plan, the evidence, rejected rows,
    kept old values, and the triggers on your tables, so nothing is kept in step any more and nothing can be
    rolled back. Your tables, old and new, stay as they are. Write the report first.

    \b
    Example:
      lockgate uninstall --database postgresql://me@db.example/shop
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.clock import SystemClock
    from lockgate.engine.uninstall import Removed, uninstall
    from lockgate.ledger import version
    from lockgate.report.plans import names

    sessions = context.sessions(database)
    with sessions.open("uninstall") as conn:
        there = version(conn) is not None
        plans = names(conn)
        place = conn.info.dbname
    if not there:
        _tell(output, Removed(False), [])
        return
    lost = f"the history of {', '.join(plans)}" if plans else "an empty ledger"
    options.confirm(f"Remove schema lockgate from database {place}, with {lost}?", yes=yes)
    with stop_on_signal("the present table") as stop, shown(output, SystemClock()) as progress:
        removed = uninstall(sessions, force=force, progress=progress, stop=stop)
    _tell(output, removed, plans)


def _tell(output: Output, removed: Removed, plans: list[str]) -> None:
    if output.json:
        output.event({"event": "result", "removed": removed.ledger, "triggers": list(removed.triggers), "plans": plans})
    elif removed.ledger:
        count = len(removed.triggers)
        output.line(f"Removed schema lockgate and {count} trigger{'' if count == 1 else 's'} on your tables.")
    else:
        output.line("There was nothing of Lockgate in this database.")
