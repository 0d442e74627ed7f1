"""``lockgate check``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output
from lockgate.errors import DatabaseError, ExitCode


@click.command("check")
@click.argument("paths", metavar="[PATHS]...", nargs=-1, type=click.Path(path_type=Path))
@options.database
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    show_default=True,
    help="For people, for programs, for pull requests, for code scanning, for test reports.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["high", "medium", "low", "never"]),
    default="high",
    show_default=True,
    help="Exit with 1 if there is a finding of this severity, or a worse one.",
)
@click.option(
    "--time-limit",
    type=options.DURATION,
    default="30s",
    show_default=True,
    help="How long one query of rows may take; what takes longer is sampled, or said to be not looked at.",
)
@click.option(
    "--examples", is_flag=True, help="Show keys of rows and constants of statements: they may be personal data."
)
@click.option(
    "--tool", metavar="NAME", help="Whose folders they are, such as sqlx or flyway; else it is told from them."
)
@click.option("--assume-in-transaction", is_flag=True, help="Loose files are run in a transaction (psql -1).")
@click.option("--no-color", is_flag=True, help="Never colour; NO_COLOR in the environment does the same.")
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
    import psycopg

    from lockgate.cli.commands.lint import show, write
    from lockgate.lint.live import check
    from lockgate.lint.pending import Pending
    from lockgate.lint.sources import find
    from lockgate.safety.finding import Severity

    sessions = context.sessions(database)
    with sessions.open("check", plan_sql=True, read_only=True) as conn:
        pending = Pending(conn)
        found = find(paths or (Path(),), tool=tool, wrapped=assume_in_transaction, pending=pending)
        try:
            outcome = check(found, conn, limit=time_limit, examples=examples)
        except psycopg.errors.LockNotAvailable:
            raise DatabaseError(
                "The catalog cannot be read now",
                why="Somebody holds an ACCESS EXCLUSIVE lock on a table.",
                hint="Try again when that has ended.",
            ) from None
    limit = None if fail_on == "never" else Severity(fail_on)
    output = Output("json" if output_format == "json" else "text", no_color)
    if output_format == "text":
        show(output, outcome, "The text, the catalog and the rows were looked at. Nothing was touched.")
    else:
        write(output_format, outcome, limit)
    return ExitCode.FAILED if outcome.fails(limit) else ExitCode.DONE
