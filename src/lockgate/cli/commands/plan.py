"""``lockgate plan``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli import amounts, context, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode, LockgateError

if TYPE_CHECKING:
    from lockgate.preview import GateView, PhaseView, Preview, StepView

_STYLES = {"done": "good", "failed": "bad", "pending": "title"}


@click.command("plan")
@options.plan
@options.database
@click.option("--exit-code", "pending_code", is_flag=True, help="Exit with 10 when phases are pending.")
@options.output
def command(plan: Path | None, database: str | None, pending_code: bool, output: Output) -> int:
    """Show what would happen; touch nothing.

    Phases and their state, gates, steps with their SQL, locks and estimated rows, what is derived from each
    mapping (backfill, triggers, evaluation), checks, and whether there is a way back. Exits with 1 when
    something could not be run, with the place and the reason.

    \b
    Example:
      lockgate plan my-plan --database postgresql://me@db.example/shop
    """
    from lockgate.engine.clock import SystemClock
    from lockgate.preview import preview

    loaded = context.load(plan)
    found = preview(loaded, context.sessions(database, loaded.plan.settings), SystemClock())
    if output.json:
        output.object(_as_json(found))
    else:
        _tell(output, found)
    if found.changed:
        return ExitCode.CHANGED
    if found.problems:
        return ExitCode.FAILED
    return ExitCode.PENDING if pending_code and found.pending else ExitCode.DONE


def _tell(output: Output, found: Preview) -> None:
    done = len(found.phases) - found.pending
    output.line(f"Plan {found.plan}: {done} of {len(found.phases)} phases done", "title")
    for error in (found.copied, found.changed):
        for line in _error(error, "") if error else ():
            output.line(line, "bad")
    for phase in found.phases:
        output.line()
        head = (
            f"{phase.name}{f': {phase.title}' if phase.title else ''} ({phase.state}{', next' if phase.next else ''})"
        )
        output.line(head, _STYLES.get(phase.state))
        if phase.state == "done":
            continue
        for line, style in _phase(phase):
            output.line(line, style)
    output.line()
    if found.problems:
        count = len(found.problems)
        output.line(f"{count} problem{'' if count == 1 else 's'}; nothing was touched.", "bad")
    elif found.pending:
        output.line("Nothing was touched. `lockgate apply` does it.")
    else:
        output.line("Nothing is left to do.")


def _phase(phase: PhaseView) -> Iterator[tuple[str, str | None]]:
    for gate in phase.gates:
        yield from _gate(gate)
    for step in phase.steps:
        yield from _step(step)
    for check in phase.checks:
        yield f"  check {check}", None
    yield f"  undo  {phase.undo}", None


def _gate(gate: GateView) -> Iterator[tuple[str, str | None]]:
    if gate.open is None:
        yield f"  gate  {gate.asks}", None
    elif gate.open:
        yield f"  gate  open: {gate.what}", "good"
    else:
        yield f"  gate  closed: {gate.what}", "warn"
        if gate.hint:
            yield f"          Do: {gate.hint}", None


def _step(step: StepView) -> Iterator[tuple[str, str | None]]:
    title = f": {step.title}" if step.title else ""
    yield f"  step  {step.name} ({step.kind}){title}{', done' if step.done else ''}", None
    for text in step.lines:
        for line in text.splitlines():
            yield f"          {line}", "dim"
    if step.seconds is not None:
        yield f"          about {amounts.duration(step.seconds)}, by the rehearsal of this plan", "dim"
    if step.later:
        yield f"          known when the steps before it are done ({step.later})", "dim"
    if step.problem:
        for line in _error(step.problem, "          "):
            yield line, "bad"


def _error(error: LockgateError, indent: str) -> Iterator[str]:
    for line in str(error).splitlines():
        yield f"{indent}{line}"


def _as_json(found: Preview) -> dict[str, Any]:
    from dataclasses import fields

    def plain(value: Any) -> Any:
        if isinstance(value, LockgateError):
            return {"what": value.what, "where": value.where, "why": value.why, "do": value.hint}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return value

    return {**plain(found), "pending": found.pending}
