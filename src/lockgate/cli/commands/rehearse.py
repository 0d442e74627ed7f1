"""``lockgate rehearse``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import amounts, context, options, secrets
from lockgate.cli.output import Output
from lockgate.errors import ExitCode, LockgateError, UsageError

if TYPE_CHECKING:
    from lockgate.rehearse.forecasting import Scaled
    from lockgate.rehearse.running import Rehearsed, Undo
    from lockgate.rehearse.traffic import Felt

Line = tuple[str, str | None]
_FELT = 0.1  # seconds from which on a wait of the traffic is told


@click.command("rehearse")
@options.plan
@options.database
@click.option(
    "--on",
    metavar="URL",
    help="Server to make the copy on, in a database that is dropped again. Default: a throw-away server here.",
)
@click.option(
    "--rows",
    metavar="N|P%",
    default="10000",
    show_default=True,
    help="Most generated rows of a table, or how many of a hundred: the larger the copy, the better the forecast.",
)
@click.option(
    "--restore",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Restore this backup of `lockgate backup` instead of generating rows: real data, on the copy's server.",
)
@click.option(
    "--template",
    metavar="NAME",
    help="Copy this database of the server of --on instead, with its rows; nobody may be connected to it meanwhile.",
)
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write what was found to this file, as JSON.",
)
@click.option(
    "--record", is_flag=True, help="Write what came of it to the database's ledger: the gate `rehearsed` asks for it."
)
@options.output
def command(
    plan: Path | None,
    database: str | None,
    on: str | None,
    rows: str,
    restore: Path | None,
    template: str | None,
    file: Path | None,
    record: bool,
    output: Output,
) -> int:
    """Run the whole plan on a copy of the database, and say what it did.

    The copy has the schema of the database and generated rows: of the rows themselves none leaves it, of the
    planner's statistics only counts, the bounds of numbers and dates, and how texts look (which characters are
    digits, letters or marks). Each phase is applied, with its locks and rewrites traced, taken back, compared with
    what was there before, and applied again. Time that must pass is let pass. The database itself is only read, but
    for one line in its ledger with --record. Exits with 1 if the plan fails on the copy, or if an undo does not bring
    back what was there before.

    \b
    Example:
      lockgate rehearse my-plan --database postgresql://me@db.example/shop
      lockgate rehearse my-plan --record
      lockgate rehearse my-plan --rows 10%
      lockgate rehearse my-plan --on postgresql://me@test.example/postgres --output rehearsal.json
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.address import resolve
    from lockgate.engine.clock import SystemClock
    from lockgate.rehearse.copy import Settings
    from lockgate.rehearse.running import rehearse

    _refuse_two_sources(on, restore, template)
    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    server = resolve(on, {}) if on else None
    secrets.remember(server or "", None)
    wanted = Settings(server, *_amount(rows), restore, template)
    clock = SystemClock()
    with stop_on_signal("the present chunk") as stop, shown(output, clock) as progress:
        found = rehearse(loaded, sessions, wanted, progress=progress, clock=clock, stop=stop, record=record)
    if file:
        _write(file, found)
    if output.json:
        output.event({"event": "result", **found.to_json()})
    else:
        for text, style in _told(found, record):
            output.line(text, style)
    return ExitCode.DONE if found.good else ExitCode.FAILED


def _amount(text: str) -> tuple[int, float | None]:
    """Rows, and the share of them where it is one."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    with contextlib.suppress(ValueError):
        if percent and 0 < float(number) <= 100:
            return 0, float(number) / 100
        if not percent and int(number) > 0:
            return int(number), None
    raise UsageError(
        f"`{text}` is no number of rows", where="--rows", hint="Say how many, or their share: --rows 20000, --rows 10%."
    )


def _refuse_two_sources(on: str | None, restore: Path | None, template: str | None) -> None:
    if template is not None and on is None:
        raise UsageError(
            "A database can be copied by its own server only",
            where="--template without --on",
            hint="Name the server with --on, by the address of any other database there.",
        )
    if template is not None and restore is not None:
        raise UsageError(
            "The rows come from one place",
            where="--restore and --template",
            hint="Leave one of them out.",
        )


def _write(file: Path, found: Rehearsed) -> None:
    try:
        file.write_text(json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise LockgateError("The file cannot be written", where=str(file), why=error.strerror) from error


def _passed(found: Rehearsed) -> Iterator[Line]:
    """What was not asked as it is in production."""
    for gate in found.gates:
        yield f"  gate of {gate.phase} ({gate.asks}): {gate.how}: {gate.what}", None
    for check in found.checks_spared:
        yield f"  check of {check.phase} fails on generated rows, which says nothing: {check.what}", "warn"


def _told(found: Rehearsed, record: bool) -> Iterator[Line]:
    yield f"Rehearsal of {found.plan} on {found.server}", "title"
    yield f"  plan {found.plan_digest[:12]}, schema {found.schema_digest[:12]}", "dim"
    rows = sum(table.rows for table in found.tables)
    yield f"  {len(found.tables)} tables with {rows} rows", None
    for remark in found.remarks:
        yield f"  {remark}", "warn"
    for table in found.tables:
        if table.why:
            yield f"  {table.table}: {table.rows} rows, {table.left_out} left out: {table.why}", "warn"
    yield from _passed(found)
    for step in found.steps:
        yield from _step(step)
    yield from _phases(found)
    for undo in found.undone:
        yield from _undo(undo)
    if found.failure:
        failure = found.failure
        told = LockgateError(failure.what, where=failure.where, why=failure.why, hint=failure.do)
        yield f"Phase {failure.phase} could not be rehearsed to its end ({failure.doing}):", "bad"
        for line in str(told).splitlines():
            yield f"  {line}", "bad"
    if found.good:
        yield "The plan came to its end on the copy.", "good"
    else:
        yield "The rehearsal found what must be mended.", "bad"
    if record:
        yield "That was recorded in the ledger of the database, which was only read otherwise.", "dim"
    else:
        yield "The database itself was only read.", "dim"


def _phases(found: Rehearsed) -> Iterator[Line]:
    for phase in found.phases:
        yield f"phase {phase.phase}: {phase.seconds:.2f} s{_estimate(phase.factor, phase.production_seconds)}", None
    if found.production_seconds is not None:
        yield f"All phases would take about {amounts.duration(found.production_seconds)} in production, without", None
        yield "waiting for people and time, on a server as fast as the copy's and without its traffic.", None


def _step(scaled: Scaled) -> Iterator[Line]:
    step = scaled.step
    head = f"step {step.phase}/{step.step} ({step.kind}): {scaled.seconds:.2f} s"
    yield f"{head}{_estimate(scaled.factor, scaled.production_seconds)}", "title"
    for lock in step.locks:
        way = "" if lock.exact else ", sampled"
        yield f"  {lock.mode} on {lock.relation} for at most {lock.seconds:.3f} s{way}", None
    for felt in step.felt:
        if felt.longest >= _FELT or felt.failed:
            yield f"  {_felt(felt)}", "warn"
    for what, names in (("rewritten", step.rewritten), ("rebuilt", step.rebuilt), ("built", step.built)):
        if names:
            yield f"  {what}: {', '.join(names)}", "warn" if what == "rewritten" else None


def _estimate(factor: float | None, seconds: float | None) -> str:
    if factor is None or seconds is None or factor <= 1:
        return ""
    return f", about {amounts.duration(seconds)} with {factor:.1f} times the rows"


def _felt(felt: Felt) -> str:
    failed = f"; {felt.failed} of {felt.statements} failed: {felt.why}" if felt.failed else ""
    return f"{felt.what}s of {felt.relation} took up to {felt.longest:.3f} s{failed}"


def _undo(undo: Undo) -> Iterator[Line]:
    if not undo.undone:
        yield f"undo of {undo.phase}: there is none: {undo.why}", "warn"
        return
    good = not (undo.left or undo.again)
    yield (
        f"undo of {undo.phase}: {'restores what was before, and it can be applied again' if good else 'differs'}",
        "good" if good else "bad",
    )
    for line in undo.left:
        yield f"  after the undo: {line}", "bad"
    for line in undo.again:
        yield f"  applied again: {line}", "bad"
