"""``lockgate rollback``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, outcome
from lockgate.cli.output import Output, columns
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.engine.losing import Prospect
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Phase


@click.command("rollback")
@options.plan
@options.database
@click.option(
    "--to", metavar="PHASE", help="The phase that stays, or @start for none. Default: take back the last one."
)
@click.option("--lose-rows", is_flag=True, help="Rows that were written since may be lost.")
@options.yes
@options.output
def command(plan: Path | None, database: str | None, to: str | None, lose_rows: bool, yes: bool, output: Output) -> int:
    """Take phases back.

    The last one first: the undo of each mapping is derived, SQL steps have the phase's own undo. It says first
    what would be lost, and refuses to lose a row that the application wrote unless --lose-rows says so. A
    rollback that was killed goes on when it is run again.

    \b
    Example:
      lockgate rollback my-plan
      lockgate rollback my-plan --to setup --lose-rows
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine import runner
    from lockgate.engine.clock import SystemClock

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    wanted, prospect = _look(loaded, sessions, to)
    if not wanted:
        _nothing(output)
        return ExitCode.DONE
    if not output.json:
        _tell(output, wanted, prospect)
    if not lose_rows:
        prospect.refuse()
    names = ", ".join(phase.id for phase in wanted)
    options.confirm(f"Take back {names}?", yes=yes)
    clock = SystemClock()
    with stop_on_signal("the present step") as stop, shown(output, clock) as progress:
        result = runner.rollback(
            loaded, sessions, to=to, lose_rows=lose_rows, progress=progress, clock=clock, stop=stop
        )
    outcome.tell(output, loaded, sessions, result, back=True)
    return result.exit_code


def _look(loaded: LoadedPlan, sessions: Sessions, to: str | None) -> tuple[list[Phase], Prospect]:
    from lockgate.engine import losing, phases, undoing
    from lockgate.ledger import require_home

    sessions.preflight()
    with sessions.open("rollback", plan_sql=True) as conn:
        require_home(conn)
        wanted = undoing.to_undo(loaded, phases.states(conn, loaded.plan.plan), to)
        undoing.refuse_without_undo(conn, loaded, wanted)
    return wanted, losing.foresee(sessions, loaded, wanted)


def _tell(output: Output, wanted: Sequence[Phase], prospect: Prospect) -> None:
    output.line("This is taken back, in this order:", "title")
    for phase in wanted:
        output.line(f"  {phase.id}{f': {phase.title}' if phase.title else ''}")
    if prospect.losses:
        output.line("These rows would be lost:", "bad")
        listed = [(loss.table, f"{loss.rows:,}", loss.why) for loss in prospect.losses]
        for line in columns(listed, indent="  ", right=[1]):
            output.line(line)
    elif not prospect.unknown:
        output.line("No row that the application wrote would be lost.")
    else:
        output.line("No row that only the application wrote is known to be lost.")
    if prospect.unknown:
        output.line("Not known, if the application wrote any of it, and not kept:")
        for what in prospect.unknown:
            output.line(f"  {what}")


def _nothing(output: Output) -> None:
    if output.json:
        output.event({"event": "result", "outcome": "done", "exit_code": 0, "phases": []})
    else:
        output.line("There is nothing to take back.")
