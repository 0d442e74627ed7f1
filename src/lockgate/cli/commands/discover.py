"""``lockgate discover``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, findings, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.discover import Finding, Outcome


@click.command("discover")
@options.database
@click.option("--limit", type=options.DURATION, default="5m", show_default=True, help="How long all of it may take.")
@click.option("--exact", is_flag=True, help="Measure all rows for bloat; ask pgstattuple where it is installed.")
@click.option("--examples", is_flag=True, help="Show keys of some rows: they may be personal data.")
@click.option(
    "--unused-for",
    type=options.DURATION,
    default="14d",
    show_default=True,
    help="How long the server must have counted before it is said that nobody uses a table or an index.",
)
@click.option(
    "--code",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of the application's code: the tables and columns that its SQL names are looked for.",
)
@click.option(
    "--write-plan",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write the plan that mends what was found: a .yaml file, or a folder.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="For people, for programs, as a page.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["high", "medium", "low", "never"]),
    default="high",
    show_default=True,
    help="Exit with 1 if there is a finding of this severity, or a worse one.",
)
@findings.no_color
def command(
    database: str | None,
    limit: timedelta,
    exact: bool,
    examples: bool,
    unused_for: timedelta,
    code: Path | None,
    write_plan: Path | None,
    output_format: str,
    fail_on: str,
    no_color: bool,
) -> int:
    """Say what is wrong with a database that nobody fully knows; touch nothing.

    One read-only pass: sizes and statistics, bloat, duplicates, indexes, references, formats of values, sequences,
    rights. Each finding has a code, the figures, the query that gave them, whether they are exact, and what would mend
    it. No lock is taken that a SELECT does not take; what there was no time or right for is said.

    \b
    Example:
      lockgate discover --database postgresql://me@db.example/shop
      lockgate discover --limit 20m --exact --format markdown > shop.md
    """
    from lockgate.discover import Wishes, discover, planning
    from lockgate.safety.finding import Severity

    wishes = Wishes(limit, exact=exact, examples=examples, unused_for=unused_for, code=code)
    sessions = context.sessions(database)
    with sessions.open("discover", plan_sql=True, read_only=True, statement_timeout=limit) as conn:
        outcome = discover(conn, wishes, sessions.clock.monotonic)
    _tell(outcome, output_format, no_color=no_color)
    if write_plan is not None:
        written = planning.write(outcome, write_plan)
        Output(no_color=no_color, to_stderr=True).line(f"The plan is in {written}. Look at it with `lockgate plan`.")
    return ExitCode.FAILED if outcome.fails(None if fail_on == "never" else Severity(fail_on)) else ExitCode.DONE


def _tell(outcome: Outcome, form: str, *, no_color: bool) -> None:
    from lockgate.discover import telling

    match form:
        case "json":
            text = json.dumps(telling.as_object(outcome), indent=2, ensure_ascii=False)
        case "markdown":
            text = telling.as_markdown(outcome)
        case _:
            output = Output("text", no_color)
            lines = [line for finding in outcome.findings for line in _finding(output, finding)]
            lines += [output.styled(f"Not looked at: {said}.", "dim") for said in outcome.skipped]
            text = "\n".join([*lines, telling.summary(outcome), output.styled("Nothing of yours was changed.", "dim")])
    click.echo(text)


def _finding(output: Output, finding: Finding) -> Iterator[str]:
    from lockgate.discover import telling

    severity = output.styled(str(finding.weight), findings.STYLES[finding.weight])
    yield f"{telling.place(finding)}: {severity} {finding.code} {finding.kind.name}"
    yield f"  {finding.what}"
    yield f"  {'Exact' if finding.exact else 'Estimated'}: {finding.basis}."
    if finding.examples:
        yield f"  For example: {telling.shown(finding)}."
    yield "  Do: " + finding.mend.said.replace("\n", "\n      ")
    yield output.styled("  Query: " + " ".join(finding.query.split()), "dim")
    yield ""
