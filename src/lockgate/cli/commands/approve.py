"""``lockgate approve``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options, outcome
from lockgate.cli.output import Output
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Phase


@click.command("approve")
@click.argument("phase", required=False)
@click.option("--by", metavar="NAME", required=True, help="Who approves, as it shall stand in the report.")
@click.option("--plan", "-p", metavar="PATH", type=click.Path(path_type=Path), help="The plan's folder.")
@options.database
@options.yes
@options.output
def command(phase: str | None, by: str, plan: Path | None, database: str | None, yes: bool, output: Output) -> None:
    """Approve this plan for this schema.

    PHASE may begin once enough people have approved it; without it the next phase that asks for an approval is
    meant. The approval holds for the plan and the schema as they are now: when either changes, it has to be
    given again.

    \b
    Example:
      lockgate approve contacts --by "Ana Souza" --plan my-plan
    """
    from lockgate.engine.approval import approve

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    wanted = _wanted(loaded, sessions, phase)
    if not output.json:
        _show(output, loaded, wanted)
    options.confirm(f"Approve phase {wanted.id} as {by}?", yes=yes)
    given = approve(loaded, sessions, wanted.id, by)
    with sessions.open("approve") as conn:
        outcome.keep_lock(output, loaded, conn)
    if output.json:
        output.object(asdict(given))
        return
    output.line(f"Approved by {by} for schema {given.fingerprint[:12]}...: {given.count} of {given.needed}.", "good")
    if given.count >= given.needed:
        output.line("`lockgate apply` goes on.")
    else:
        output.line(f"{given.needed - given.count} more have to approve.")


def _wanted(loaded: LoadedPlan, sessions: Sessions, name: str | None) -> Phase:
    """The phase that was named, else the next that asks for an approval."""
    from lockgate.engine import phases
    from lockgate.engine.phases import PhaseState
    from lockgate.engine.runner import upto
    from lockgate.ledger import version
    from lockgate.plan.models import ApprovalGate

    if name is not None:
        return upto(loaded, name)[-1]
    with sessions.open("approve") as conn:
        known = phases.states(conn, loaded.plan.plan) if version(conn) else {}
    for phase in loaded.plan.phases:
        asks = any(isinstance(gate, ApprovalGate) for gate in phase.before)
        if asks and known.get(phase.id, PhaseState.PENDING) is not PhaseState.DONE:
            return phase
    raise UsageError("No phase that is still to be done asks for an approval", where=f"{loaded.folder}/plan.yaml")


def _show(output: Output, loaded: LoadedPlan, phase: Phase) -> None:
    from lockgate.engine.phase_run import kind_of

    i = loaded.plan.phases.index(phase)
    output.line(f"Phase {phase.id}{f': {phase.title}' if phase.title else ''}", "title")
    for j, step in enumerate(phase.steps):
        output.line(f"  {loaded.step_id(i, j)} ({kind_of(step)}){f': {step.title}' if step.title else ''}")
    output.line(f"Plan {loaded.plan.plan}, hash {loaded.digest[:12]}...; `lockgate plan` shows what it does.")
