"""``lockgate snapshot``: ``mark`` and ``prove``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, secrets
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.backup.copy import Copy

SHOWN = 20


@click.group("snapshot")
def command() -> None:
    """Prove a provider's snapshot or branch as a backup.

    For a database that is too large to be dumped and restored here. First `mark`, then have the provider take the
    snapshot or branch and make a database of it, then `prove` with the address of that.

    \b
    Example:
      lockgate snapshot mark my-plan
      lockgate snapshot prove my-plan --at postgresql://me@copy.example/shop
    """


@command.command("mark")
@options.plan
@options.database
@click.option(
    "--tables",
    metavar="PATTERN",
    multiple=True,
    help="Only the tables whose schema.table fits, such as 'core.entity_*'; may be repeated. Default: all.",
)
@options.output
def mark(plan: Path | None, database: str | None, tables: tuple[str, ...], output: Output) -> None:
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


@command.command("prove")
@options.plan
@options.database
@click.option("--at", "address", metavar="URL", required=True, help="Address of the database made of the snapshot.")
@click.option("--mark", "number", metavar="N", type=int, help="The mark that it must hold. Default: the newest it has.")
@options.output
def prove(plan: Path | None, database: str | None, address: str, number: int | None, output: Output) -> None:
    """Compare a database made of a snapshot with this one, and note it as a backup.

    It must hold a mark of this database, and have its schema. Each table must hold what was measured before the mark,
    unless it was written meanwhile. A table that was written is there, and all of it can be read; what is in it
    is of a moment that nobody knows, and is not compared. Both kinds are listed. Nothing is written there. The ledger
    keeps the address without its password.

    \b
    Example:
      lockgate snapshot prove my-plan --at postgresql://me@copy.example/shop
    """
    from lockgate.backup import copy
    from lockgate.cli.progress import shown
    from lockgate.engine.address import resolve
    from lockgate.engine.session import Sessions

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    there = resolve(address, {})
    secrets.remember(there, None)
    with shown(output, sessions.clock) as progress:
        other = Sessions(there, loaded.plan.settings)
        found = copy.prove(sessions, other, loaded.plan.plan, number, progress)
    _tell(output, found)


def _tell(output: Output, found: Copy) -> None:
    equal, written = found.labels("mark", "now"), found.labels("written")
    if output.json:
        output.event(
            {
                "event": "result",
                "backup": found.id,
                "kind": "copy",
                "address": found.address,
                "mark": found.mark.id,
                "snapshot_at": found.mark.at,
                "compared": equal,
                "written_meanwhile": written,
            }
        )
        return
    at = f"{found.mark.at:%Y-%m-%d %H:%M:%S} UTC"
    output.line(f"Backup {found.id}: the copy at {found.address}, no older than mark {found.mark.id} of {at}", "good")
    output.line(f"{len(equal)} tables hold the same rows as the database.", "good")
    if written:
        more = f" and {len(written) - SHOWN} more" if len(written) > SHOWN else ""
        output.line(
            f"{len(written)} were written since the mark: all of each can be read there, and its content was not "
            f"compared: {', '.join(written[:SHOWN])}{more}",
            "warn",
        )
