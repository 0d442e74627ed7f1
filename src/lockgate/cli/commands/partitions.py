"""``lockgate partitions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import amounts, context, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lockgate.tending import Tended


@click.command("partitions")
@options.plan
@options.database
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@options.output
def command(plan: Path | None, database: str | None, dry_run: bool, output: Output) -> int:
    """Make partitions ahead of time and retire old ones, as the plan declares.

    For cron, every day: run it as often as you like, a second run changes nothing and says so. New partitions are
    made beside the table and attached; rows that went into the default partition meanwhile move along. Old ones
    are detached and go into the archive, read-only and measured; nothing is ever dropped. What is a partition the
    catalog says, never a name.

    Exits with 1 when something is not as it is declared, with 8 when another runner is at work.

    \b
    Example:
      lockgate partitions my-plan --database postgresql://me@db.example/shop
      lockgate partitions my-plan --dry-run --format json
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.clock import SystemClock
    from lockgate.tending import look, tend

    loaded = context.load(plan)
    if not loaded.plan.partitions:
        raise UsageError(
            "The plan declares no partitions",
            where=f"{loaded.folder}/plan.yaml",
            hint="Write `partitions:` beside `phases:`, a table an item.",
        )
    sessions = context.sessions(database, loaded.plan.settings)
    clock = SystemClock()
    if dry_run:
        found, code = look(loaded, sessions, clock), ExitCode.DONE
    else:
        with stop_on_signal("the present partition") as stop, shown(output, clock) as progress:
            found, result = tend(loaded, sessions, progress=progress, clock=clock, stop=stop)
        code = result.exit_code
    if code is ExitCode.DONE and any(tended.troubles for tended in found):
        code = ExitCode.FAILED
    _tell(output, found, dry_run=dry_run, code=code)
    return code


def _tell(output: Output, found: Sequence[Tended], *, dry_run: bool, code: ExitCode) -> None:
    if output.json:
        tables = [{**asdict(tended), "changed": tended.changed and not dry_run} for tended in found]
        output.event({"event": "result", "dry_run": dry_run, "exit_code": int(code), "tables": tables})
        return
    for tended in found:
        for line, style in _lines(tended, dry_run=dry_run):
            output.line(f"{tended.table}: {line}", style)


def _lines(tended: Tended, *, dry_run: bool) -> list[tuple[str, str | None]]:
    would = "would be " if dry_run else ""
    lines: list[tuple[str, str | None]] = []
    for name, moved in tended.made.items():
        rows = f", with {amounts.count(moved)} rows of the default partition" if moved else ""
        lines.append((f"{name} {would or 'was '}made{rows}", "good"))
    lines += [(f"{name} {would or 'was '}retired into the archive", "good") for name in tended.retired]
    lines += [(f"{name} {would or 'was '}detached, as somebody had begun to", "good") for name in tended.finished]
    lines += [(trouble, "bad") for trouble in tended.troubles]
    if not lines:
        lines.append(("nothing to do; all partitions are as declared", None))
    if tended.in_default:
        rows = amounts.count(tended.in_default)
        lines.append((f"{rows} rows are in the default partition, which fit no other", "warn"))
    if tended.fails_from is not None:
        lines.append((f"there is no default partition: inserts fail from {tended.fails_from:%Y-%m-%d} on", "warn"))
    return lines
