"""``lockgate check``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from lockgate.cli import context, findings, options


@click.command("check")
@findings.paths
@options.database
@findings.told
@findings.time_limit
@click.option(
    "--examples", is_flag=True, help="Show keys of rows and constants of statements: they may be personal data."
)
@findings.read
@findings.no_color
def command(
    paths: tuple[Path, ...],
    database: str | None,
    output_format: str,
    fail_on: str,
    time_limit: timedelta,
    examples: bool,
    tool: str | None,
    assume_in_transaction: bool,
    no_color: bool,
) -> int:
    """Find hazards of what is pending in a live database; touch nothing.

    PATHS are as `lockgate lint` takes them: of a plan the phases that are not done are looked at, of a folder of
    another tool the migrations that are not applied, and loose files as if they ran next. Everything is read in
    read-only transactions, under no stronger lock than a SELECT takes: the catalog, and rows where only they tell
    whether a statement fails. Large tables are sampled first. What could not be looked at is said.

    \b
    Example:
      lockgate check my-plan --database postgresql://me@db.example/shop
      lockgate check V7__orders.sql --time-limit 2m --fail-on medium
    """
    from lockgate.lint.live import check
    from lockgate.lint.sources import find
    from lockgate.pending import PendingHere

    sessions = context.sessions(database)
    with sessions.open("check", plan_sql=True, read_only=True) as conn:
        pending = PendingHere(conn)
        found = find(paths or (Path(),), context.online, tool=tool, wrapped=assume_in_transaction, pending=pending)
        outcome = check(found, conn, limit=time_limit, examples=examples)
    note = "The text, the catalog and the rows were looked at. Nothing of yours was changed."
    return findings.tell(outcome, note, output_format=output_format, fail_on=fail_on, no_color=no_color)
