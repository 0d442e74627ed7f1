"""``lockgate history repair``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli import context, folders, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.history.base import Tool
    from lockgate.history.standing import Entry
    from lockgate.migrating.repairing import Change, Proposal


@click.command("repair")
@folders.folder
@options.database
@click.option(
    "--accept",
    "accepted",
    metavar="VERSION",
    multiple=True,
    help="This changed file is right as it is; repeatable.",
)
@click.option("--applied", metavar="VERSION", multiple=True, help="What was half done is done by now; repeatable.")
@click.option("--reverted", metavar="VERSION", multiple=True, help="Nothing of it is in the database; repeatable.")
@options.yes
@options.output
def command(
    tool: Callable[[], Tool],
    database: str | None,
    accepted: tuple[str, ...],
    applied: tuple[str, ...],
    reverted: tuple[str, ...],
    yes: bool,
    output: Output,
) -> int:
    """Put a history right: changed files, failed and missing migrations.

    What can be proven is proposed by itself: a file in which only comments or spaces changed since Lockgate ran
    it. What cannot needs your word: --accept, --applied or --reverted. What would change in the history's table
    is shown first, and asked for. Nothing but that table is changed. Exits with 1 while something is left.

    \b
    Example:
      lockgate history repair migrations --reverted 20260301120000
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.migrating import repairing

    opened = tool()
    sessions = context.sessions(database)
    said = repairing.Said(accepted, applied, reverted)
    proposal = repairing.propose(sessions, opened, said)
    _tell(output, opened, proposal)
    if proposal.mendings:
        count = len(proposal.mendings)
        options.confirm(f"Change {proposal.home} so, for {count} migration{'' if count == 1 else 's'}?", yes=yes)
        with stop_on_signal("this") as stop, shown(output, sessions.clock) as progress:
            repairing.mend(sessions, opened, said, proposal, progress=progress, stop=stop)
        if output.json:
            output.event({"event": "repaired", "migrations": [each.entry.version for each in proposal.mendings]})
        else:
            output.line(f"{proposal.home} is put right.", "good")
    return ExitCode.FAILED if proposal.left else ExitCode.DONE


def _tell(output: Output, tool: Tool, proposal: Proposal) -> None:
    if output.json:
        output.event(
            {
                "event": "result",
                "tool": tool.name,
                "history": str(proposal.home),
                "repairs": [
                    {
                        "version": each.entry.version,
                        "state": each.entry.state.value,
                        "to": each.to.value,
                        "why": each.why,
                    }
                    for each in proposal.mendings
                ],
                "changes": [{"before": each.before, "after": each.after} for each in proposal.changes],
                "left": [
                    {"version": each.version, "state": each.state.value, "why": each.why} for each in proposal.left
                ],
            }
        )
        return
    if not proposal.mendings and not proposal.left:
        output.line("Nothing is wrong with the history.", "good")
    for mending in proposal.mendings:
        name = mending.entry.name or mending.entry.version
        output.line(f"{name}: {mending.entry.state.value}, becomes {mending.to.value}; {mending.why}.", "title")
    for change in proposal.changes:
        for line in _changed(change):
            output.line(f"  {line}")
    for entry in proposal.left:
        output.line(f"{entry.name or entry.version} stays {entry.state.value}: {entry.why}", "warn")
        output.line(f"  Do: {entry.do}")


def _told(entry: Entry, **more: str) -> dict[str, str]:
    return {"version": entry.version, "state": entry.state.value, **more}


def _changed(change: Change) -> list[str]:
    if change.before is None:
        return [f"a row is added: {_row(change.after or {})}"]
    if change.after is None:
        return [f"a row is removed: {_row(change.before)}"]
    after = change.after
    return [
        f"{name}: {_value(value)} becomes {_value(after.get(name))}"
        for name, value in change.before.items()
        if value != after.get(name)
    ]


def _row(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in row.items())


def _value(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
