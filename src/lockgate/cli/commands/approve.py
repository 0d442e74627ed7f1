"""``lockgate approve``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, findings, options
from lockgate.cli.outcome import keep_lock
from lockgate.cli.output import Output
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.lint.run import Outcome
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Phase


@click.command("approve")
@click.argument("phase", required=False)
@click.option("--by", metavar="NAME", required=True, help="Who approves, as it shall stand in the report.")
@click.option("--plan", "-p", metavar="PATH", type=click.Path(path_type=Path), help="The plan's folder.")
@options.database
@findings.time_limit
@options.yes
@options.output
def command(
    phase: str | None,
    by: str,
    plan: Path | None,
    database: str | None,
    time_limit: timedelta,
    yes: bool,
    output: Output,
) -> None:
    """Approve this plan for this schema.

    PHASE may begin once enough people have approved it; without it the next phase that asks for an approval is
    meant. What `lockgate check` finds in it is shown first, and stands beside the approval in the ledger. The
    approval holds for the plan and the schema as they are now: when either changes, it has to be given again.

    \b
    Example:
      lockgate approve contacts --by "Ana Souza" --plan my-plan
    """
    from lockgate.engine.approval import approve
    from lockgate.gates import hazards

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    wanted = _wanted(loaded, sessions, phase)
    with sessions.open("approve", plan_sql=True, read_only=True) as conn:
        outcome = hazards.of_phase(loaded, wanted, conn, time_limit)
    if not output.json:
        _show(output, loaded, wanted)
        _hazards(output, outcome)
    options.confirm(f"Approve phase {wanted.id} as {by}?", yes=yes)
    given = approve(loaded, sessions, wanted.id, by, [hazards.as_row(finding) for finding in outcome.findings])
    with sessions.open("approve") as conn:
        keep_lock(output, loaded, conn)
    if output.json:
        output.object({**asdict(given), "findings": [hazards.as_row(finding) for finding in outcome.findings]})
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


def _hazards(output: Output, outcome: Outcome) -> None:
    for finding in outcome.findings:
        output.line(
            f"  {finding.severity} {finding.code} {finding.where}: {finding.what}", findings.STYLES[finding.severity]
        )
    for text in outcome.skipped:
        output.line(f"  not looked at: {text}", "dim")
    if not outcome.findings:
        output.line(f"No hazard was found in {outcome.statements} statements of its SQL.")
    else:
        output.line("`lockgate check` says why, and what to do instead.", "dim")
