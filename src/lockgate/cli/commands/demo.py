"""``lockgate demo``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import amounts, options
from lockgate.cli.output import Output, columns
from lockgate.demo.options import DemoOptions
from lockgate.demo.registry import PARTY_MODEL, SYSTEMS
from lockgate.errors import ExitCode, LockgateError, UsageError

if TYPE_CHECKING:
    from lockgate.demo.hardened import HardenedResult
    from lockgate.demo.registry import Result
    from lockgate.demo.result import DemoResult, Ending, PlainResult


@click.command("demo")
@click.argument("system", default=PARTY_MODEL, type=click.Choice(list(SYSTEMS)))
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    help="Size of the database; 1.0 is what the system really has, the default a part of it that takes a minute.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another one gives other rows and another load.")
@click.option(
    "--to-end",
    "--fast-forward",
    "to_end",
    is_flag=True,
    help="Retire the old model of party-model: backup, archive and drop, while days are let pass, as the report says.",
)
@click.option(
    "--messages", type=click.IntRange(0), help="Messages of salon's old service. Default: 100,000, by the scale."
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
    system: str,
    scale: float | None,
    seed: int,
    to_end: bool,
    messages: int | None,
    keep: bool,
    folder: Path | None,
    database: str | None,
    output: Output,
) -> int:
    """Watch a live database change its model.

    Starts a PostgreSQL server, generates the database of one of the example systems, lets its application write to it
    all the time, runs the phases of a real plan meanwhile, and checks each write that was acknowledged. Of the party
    model, which is the default, a service goes over to the new model, and its writes are looked up in both. Takes
    about a minute. Exits with 1 when a write failed or was lost.

    \b
    Example:
      lockgate demo
      lockgate demo --to-end
      lockgate demo --scale 0.1 --keep --format json
      lockgate demo salon --messages 1000000
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.clock import SystemClock

    chosen = SYSTEMS[system]
    if to_end and not chosen.retires:
        raise UsageError(f"The plan of {system} retires no old model", hint="Leave --to-end out.")
    if messages is not None and not chosen.messages:
        raise UsageError(f"{system} has no messages", hint="Leave --messages out.")
    try:
        run = chosen.run()
    except ModuleNotFoundError as error:
        raise LockgateError(
            "The demo needs packages that are not installed",
            why=f"There is no module {error.name}.",
            hint="pip install 'lockgate[demo]'",
        ) from None

    size = chosen.scale if scale is None else scale
    given = DemoOptions(
        scale=size, seed=seed, database=database, keep=keep, folder=folder, to_end=to_end, messages=messages
    )
    if database:
        from lockgate.cli import context

        context.sessions(database)  # so that its password is known, and never shown
    clock = SystemClock()
    # With --format json standard output is one object; what happens meanwhile goes to standard error.
    meanwhile = Output("text", output.no_color, to_stderr=output.json)
    with stop_on_signal("the present part") as stop, shown(meanwhile, clock) as progress:
        result = run(given, progress, clock=clock, stop=stop)
    if output.json:
        output.object(result.as_json())
    else:
        for line, style in _told(result):
            output.line(line, style)
    return ExitCode.DONE if result.holds else ExitCode.FAILED


def _told(result: Result) -> Iterator[tuple[str, str | None]]:
    from lockgate.demo.result import DemoResult, PlainResult

    yield "", None
    if isinstance(result, DemoResult):
        yield from _lines(result)
    elif isinstance(result, PlainResult):
        yield from _plain(result)


def _plain(result: PlainResult) -> Iterator[tuple[str, str | None]]:
    from lockgate.demo.hardened import HardenedResult

    yield f"Phases: {result.phases_done} of {result.phases_planned} done", "title"
    figures = {
        "writes acknowledged": result.acknowledged_writes,
        "writes that failed": result.failed_writes,
        "writes lost": result.lost_writes,
        "rows unexplained": result.unexplained_rows,
        **result.figures,
    }
    shown = [(name, value if isinstance(value, str) else amounts.count(value)) for name, value in figures.items()]
    yield from ((line, None) for line in columns(shown, indent="  ", right=[1]))
    yield "", None
    if isinstance(result, HardenedResult):
        yield from _hardened(result)
    yield from _end(result)


def _hardened(result: HardenedResult) -> Iterator[tuple[str, str | None]]:
    yield "The longest that somebody waited for a table:", "title"
    waits = [(table, _milliseconds(each.read_ms), _milliseconds(each.write_ms)) for table, each in result.waits.items()]
    yield from ((line, None) for line in columns([("", "read", "write"), *waits], indent="  ", right=[1, 2]))
    for name, why in result.foreign_keys_skipped.items():
        yield f"Skipped: {name}: {why}", None
    yield "", None


def _end(result: DemoResult | PlainResult) -> Iterator[tuple[str, str | None]]:
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


def _lines(result: DemoResult) -> Iterator[tuple[str, str | None]]:
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
    yield from _end(result)


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
