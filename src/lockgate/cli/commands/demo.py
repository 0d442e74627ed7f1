"""``lockgate demo``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import amounts, options
from lockgate.cli.output import Output, columns
from lockgate.errors import ExitCode, LockgateError

if TYPE_CHECKING:
    from lockgate.demo import DemoResult
    from lockgate.demo.result import Ending


@click.command("demo")
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=0.02,
    show_default=True,
    help="Size of the database; 1.0 is 1.5 million people and companies.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another one gives other rows and another load.")
@click.option(
    "--to-end",
    "--fast-forward",
    "to_end",
    is_flag=True,
    help="Retire the old model, too: backups, archive and drop, while days are let pass (which the report says).",
)
@click.option("--keep", is_flag=True, help="Keep the database; it says where it is.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where reports, journal and logs go. Default: demo-TIME in the current folder.",
)
@click.option(
    "--database",
    "-d",
    metavar="URL",
    help="A server of your own; the demo makes a database there and touches no other. Default: it starts a server.",
)
@options.output
def command(
    scale: float, seed: int, to_end: bool, keep: bool, folder: Path | None, database: str | None, output: Output
) -> int:
    """Watch a live database change its model.

    Starts a PostgreSQL server, generates a database, starts a service that writes to it all the time, runs the
    phases of a real plan meanwhile until the new model is the one that is written, and checks each write that the
    service acknowledged in both models. Takes about a minute. Exits with 1 when a request failed or a write was lost.

    \b
    Example:
      lockgate demo
      lockgate demo --to-end
      lockgate demo --scale 0.1 --keep --format json
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.clock import SystemClock

    try:
        from lockgate.demo import DemoOptions, run_demo
    except ModuleNotFoundError as error:
        raise LockgateError(
            "The demo needs packages that are not installed",
            why=f"There is no module {error.name}.",
            hint="pip install 'lockgate[demo]'",
        ) from None

    given = DemoOptions(scale=scale, seed=seed, database=database, keep=keep, folder=folder, to_end=to_end)
    if database:
        from lockgate.cli import context

        context.sessions(database)  # so that its password is known, and never shown
    clock = SystemClock()
    # With --format json standard output is one object; what happens meanwhile goes to standard error.
    meanwhile = Output("text", output.no_color, to_stderr=output.json)
    with stop_on_signal("the present part") as stop, shown(meanwhile, clock) as progress:
        result = run_demo(given, progress, clock=clock, stop=stop)
    if output.json:
        output.object(result.as_json())
    else:
        for line, style in _lines(result):
            output.line(line, style)
    return ExitCode.DONE if result.holds else ExitCode.FAILED


def _lines(result: DemoResult) -> Iterator[tuple[str, str | None]]:
    yield "", None
    yield f"Phases: {result.phases_done} of {result.phases_planned} done", "title"
    head = ("", "source", "migrated", "merged", "rejected", "born", "unexplained", "by the load")
    rows = [
        (
            account.mapping,
            *(
                amounts.count(value)
                for value in (
                    account.source_rows,
                    account.migrated,
                    account.merged,
                    account.rejected,
                    account.born_in_new_model,
                    account.unexplained_rows,
                    account.load_rows,
                )
            ),
        )
        for account in result.accounts
    ]
    yield from ((line, None) for line in columns([head, *rows], indent="  ", right=range(1, 8)))
    yield "", None
    yield "The service meanwhile:", "title"
    yield from ((line, None) for line in columns(_service(result), indent="  ", right=[1]))
    yield "", None
    if result.ending is not None:
        yield "The old model:", "title"
        yield from ((line, None) for line in columns(_ending(result.ending), indent="  ", right=[1]))
        yield from ((f"  gone: {name}", None) for name in result.ending.gone)
        yield "", None
    for difference in (*result.checks_failed, *result.differences):
        yield f"DIFFERENT: {difference}", "bad"
    yield f"Report: {result.report_md}", None
    yield f"        {result.report_json}", None
    if result.kept:
        yield f"Kept: {result.kept}", None
    if result.holds:
        yield "No request failed, no write was lost, every row is accounted for.", "good"
    else:
        yield "Something is not as it must be; see above and the report.", "bad"


def _service(result: DemoResult) -> list[tuple[str, str]]:
    return [
        ("requests", amounts.count(result.requests)),
        ("failed requests", amounts.count(result.failed_requests)),
        ("writes acknowledged", amounts.count(result.acknowledged_writes)),
        ("writes lost", amounts.count(result.lost_writes)),
        ("slowest 1 % took more than, before", _milliseconds(result.p99_ms_before)),
        ("slowest 1 % took more than, during", _milliseconds(result.p99_ms_during)),
        ("writers waited for the cutover, at most", _milliseconds(result.writers_held_ms)),
        ("rows backfilled a second", amounts.count(result.backfill_rows_per_second)),
    ]


def _ending(ending: Ending) -> list[tuple[str, str]]:
    return [
        ("days that were let pass", amounts.count(ending.days_passed)),
        ("foreign keys to core.entities that are gone", amounts.count(ending.foreign_keys_gone)),
        ("tables in the log of what was dropped", amounts.count(ending.logged)),
    ]


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
