"""``lockgate sample``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.sampling import Sampled


@click.command("sample")
@options.plan
@options.database
@options.output
def command(plan: Path | None, database: str | None, output: Output) -> None:
    """Keep what the server has counted of tables, for gates that ask whether they are used.

    Takes one sample of each table that an `unwritten` or `unused` gate of the plan names. The gate's time
    counts from the first one on; the more samples there are, the nearer it tells when somebody used a table.
    Run it from cron, every hour or every day. It reads no table, and needs a ledger: `lockgate apply` makes it.
    From the first sample on, Lockgate writes down what it does to these tables itself: that is no use of them.
    Standbys that a gate names in `replicas` are sampled, too, each for itself. Of samples older than a day one
    an hour is kept where nothing happened, so it may also run every minute.

    \b
    Example:
      lockgate sample my-plan --database postgresql://me@db.example/shop
    """
    from lockgate.engine.clock import SystemClock
    from lockgate.sampling import sample

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    _tell(output, sample(loaded, sessions, SystemClock()))


def _tell(output: Output, taken: Sampled) -> None:
    if output.json:
        output.object(
            {
                "samples": [asdict(sample) for sample in taken.samples],
                "not_there": list(taken.empty),
                "not_counted": list(taken.uncounted),
                "not_reached": taken.unreached,
            }
        )
        return
    count = len({sample.relid for sample in taken.samples})
    nodes = len({sample.node for sample in taken.samples}) - 1
    where = f" on the primary and {nodes} replica{'' if nodes == 1 else 's'}" if nodes > 0 else ""
    output.line(f"{count} table{'' if count == 1 else 's'} sampled{where}.", "good" if count else "warn")
    for pattern in taken.empty:
        output.line(f"There is no table {pattern}.", "warn")
    for name in taken.uncounted:
        output.line(f"Not sampled: the use of the foreign table {name} is not counted here.", "warn")
    for name, why in taken.unreached.items():
        output.line(f"Not sampled: replica {name}: {why}.", "warn")
