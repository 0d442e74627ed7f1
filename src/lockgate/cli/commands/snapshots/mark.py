"""``lockgate snapshot mark``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output


@click.command("mark")
@options.plan
@options.database
@click.option(
    "--tables",
    metavar="PATTERN",
    multiple=True,
    help="Only the tables whose schema.table fits, such as 'core.entity_*'; may be repeated. Default: all.",
)
@options.output
def command(plan: Path | None, database: str | None, tables: tuple[str, ...], output: Output) -> None:
    """Measure the tables and write a mark, right before a snapshot is taken.

    A copy that holds the mark was taken after it: its age counts from the mark. Each table is counted and hashed
    before the mark is written, so this reads all of them; writes go on.

    \b
    Example:
      lockgate snapshot mark my-plan --tables 'archive.*'
    """
    from lockgate.backup.mark import mark as write
    from lockgate.cli.progress import shown
    from lockgate.ledger import install

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    sessions.preflight()
    with sessions.open("mark") as conn:
        install(conn)
    with shown(output, sessions.clock) as progress:
        made = write(sessions, loaded.plan.plan, tables, progress)
    if output.json:
        output.event({"event": "result", "mark": made.id, "at": made.at, "tables": len(made.tables)})
        return
    output.line(f"Mark {made.id} of {made.at:%Y-%m-%d %H:%M:%S} UTC, with {len(made.tables)} tables.", "good")
    output.line("Now take the snapshot or branch, and then: `lockgate snapshot prove --at ADDRESS-OF-THE-COPY`.")
