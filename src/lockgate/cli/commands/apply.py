"""``lockgate apply``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import context, options, outcome
from lockgate.cli.output import Output


@click.command("apply")
@options.plan
@options.database
@click.option("--to", metavar="PHASE", help="Stop after this phase. Default: the last.")
@options.output
def command(plan: Path | None, database: str | None, to: str | None, output: Output) -> int:
    """Run the plan's phases, or go on where a run stopped.

    Phases that are done are passed over. A run that was killed at any point goes on from there: nothing is
    lost, nothing is done twice. It ends before a phase whose gate does not open, and says what opens it.
    Ctrl-C stops after the present chunk.

    \b
    Example:
      lockgate apply my-plan --database postgresql://me@db.example/shop
      lockgate apply my-plan --to contacts --format json
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine import runner
    from lockgate.engine.clock import SystemClock

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    clock = SystemClock()
    with stop_on_signal("the present chunk") as stop, shown(output, clock) as progress:
        result = runner.apply(loaded, sessions, to=to, progress=progress, clock=clock, stop=stop)
    outcome.tell(output, loaded, sessions, result)
    return result.exit_code
