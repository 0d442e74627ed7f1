"""``lockgate tune``."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli import live, options
from lockgate.cli.output import Output
from lockgate.errors import UsageError
from lockgate.ledger.control import Changes


@click.command("tune")
@options.plan
@options.database
@click.option("--workers", type=click.IntRange(1, 64), help="Chunk workers of the runner.")
@click.option("--chunk-rows", type=click.IntRange(100), help="Rows of a chunk, instead of those the throttle finds.")
@click.option("--default", "default", is_flag=True, help="Back to what the plan says.")
@options.output
def command(
    plan: Path | None,
    database: str | None,
    workers: int | None,
    chunk_rows: int | None,
    default: bool,
    output: Output,
) -> None:
    """Change workers and chunk size while the work runs.

    Workers obey within one chunk. More than one worker helps only where the server has room: watch the
    application's latency.

    \b
    Example:
      lockgate tune my-plan --workers 2 --chunk-rows 10000
      lockgate tune my-plan --default
    """
    changes: Changes = {}
    if default:
        changes = {"workers": None, "chunk_rows": None}
    if workers is not None:
        changes["workers"] = workers
    if chunk_rows is not None:
        changes["chunk_rows"] = chunk_rows
    if not changes:
        raise UsageError("Nothing to change was named", hint="Give --workers, --chunk-rows or --default.")
    changed = live.change(plan, database, **changes)
    said = f"{changed.workers or 'as the plan says'}"
    rows = f"{changed.chunk_rows or 'as the throttle finds'}"
    live.tell(output, changed, f"Plan {changed.plan}: workers {said}, rows a chunk {rows}.", None)
