"""``lockgate doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.doctor import Finding

_STYLES = {"ok": "good", "warn": "warn", "fail": "bad"}


@click.command("doctor")
@options.plan
@options.database
@click.option("--head", metavar="SEQ:HASH", help="The chain's head as a report has it, to compare with.")
@options.output
def command(plan: Path | None, database: str | None, head: str | None, output: Output) -> int:
    """Look for whatever is wrong or will be.

    Server, role, locks, indexes, ledger, hash chain, lease, sync and its triggers; with a plan also its migrations'
    history and the schema objects that the phases which are done must have left. Changes nothing. Exits with 1 when
    something is found that is worth doing something about.

    \b
    Example:
      lockgate doctor my-plan --database postgresql://me@db.example/shop
    """
    from lockgate.doctor import examine

    loaded = context.load(plan) if plan or context.has_plan() else None
    sessions = context.sessions(database, loaded.plan.settings if loaded else None)
    found = examine(sessions, loaded.plan.plan if loaded else None, head, loaded)
    _tell(output, found)
    return ExitCode.DONE if all(finding.verdict.value == "ok" for finding in found) else ExitCode.FAILED


def _tell(output: Output, found: Sequence[Finding]) -> None:
    if output.json:
        told = {finding.verdict.value for finding in found}
        verdict = next(kind for kind in reversed(_STYLES) if kind in told)
        output.object(
            {
                "verdict": verdict,
                "findings": [{**asdict(finding), "verdict": finding.verdict.value} for finding in found],
            }
        )
        return
    for finding in found:
        verdict = finding.verdict.value
        output.line(f"{output.styled(f'{verdict:<4}', _STYLES[verdict])}  {finding.area + ':':<10} {finding.what}")
        if finding.hint:
            output.line(f"      Do: {finding.hint}")
    counts = {kind: sum(finding.verdict.value == kind for finding in found) for kind in _STYLES}
    output.line(f"{len(found)} looked at: {counts['ok']} ok, {counts['warn']} to know, {counts['fail']} to mend.")
