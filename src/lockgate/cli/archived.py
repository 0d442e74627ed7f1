"""What the commands below ``lockgate archive`` have in common: whose tables, who gives them, and what is told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context
from lockgate.cli.output import Output
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.archive.holds import Hold
    from lockgate.engine.session import Sessions

plan = click.option("--plan", "-p", metavar="PATH", type=click.Path(path_type=Path), help="The plan's folder.")
tables = click.argument("tables", metavar="[TABLE]...", nargs=-1)
by = click.option("--by", metavar="NAME", help="Who, as it shall stand in the ledger. Default: who is logged in here.")


def refuse_both(named: tuple[str, ...], every: bool) -> None:
    """:raises UsageError: unless either tables were named or all are meant."""
    if bool(named) is every:
        raise UsageError(
            "It was said twice which tables are meant" if every else "It was not said which tables are meant",
            hint="Name tables (lockgate archive ... core.entities), or give --all.",
        )


def place(folder: Path | None, database: str | None) -> tuple[Sessions, str]:
    """Where the plan is at work, and its name."""
    settings = context.load(folder).plan.settings if folder or context.has_plan() else None
    sessions = context.sessions(database, settings)
    with sessions.open("archive") as conn:
        return sessions, context.plan_name(folder, conn)


def user() -> str:
    """Who is logged in here."""
    from lockgate.engine.run import user as logged_in

    return logged_in()


def tell_holds(output: Output, verb: str, found: list[Hold]) -> None:
    """Say which tables are held, or are no more."""
    if output.json:
        output.event({"event": "result", verb: [asdict(each) for each in found]})
        return
    for each in found:
        output.line(f"{each.label} is {verb}: {each}", "good" if verb == "held" else None)
