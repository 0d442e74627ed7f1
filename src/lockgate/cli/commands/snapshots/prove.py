"""``lockgate snapshot prove``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, secrets
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.backup.copy import Copy

SHOWN = 20


@click.command("prove")
@options.plan
@options.database
@click.option("--at", "address", metavar="URL", required=True, help="Address of the database made of the snapshot.")
@click.option("--mark", "number", metavar="N", type=int, help="The mark that it must hold. Default: the newest it has.")
@options.output
def command(plan: Path | None, database: str | None, address: str, number: int | None, output: Output) -> None:
    """Compare a database made of a snapshot with this one, and note it as a backup.

    It must hold a mark of this database, and have its schema. Each table must hold what was measured before the mark,
    unless it was written meanwhile. A table that was written is there, and all of it can be read; what is in it
    is of a moment that nobody knows, and is not compared. Both kinds are listed. An archived table must hold what was
    measured, or what an erasure since has left of it. Nothing is written there. The ledger
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
    equal, written = found.labels("mark", "now", "erased"), found.labels("written")
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
    output.line(f"{len(equal)} tables hold the same rows as the database, at the mark or since.", "good")
    if written:
        more = f" and {len(written) - SHOWN} more" if len(written) > SHOWN else ""
        output.line(
            f"{len(written)} were written since the mark: all of each can be read there, and its content was not "
            f"compared: {', '.join(written[:SHOWN])}{more}",
            "warn",
        )
