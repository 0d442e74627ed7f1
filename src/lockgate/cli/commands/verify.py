"""``lockgate verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.cli import context, options
from lockgate.cli.output import Output
from lockgate.errors import ExitCode

if TYPE_CHECKING:
    from lockgate.verification import Verified


@click.command("verify")
@options.plan
@options.database
@click.option("--phase", metavar="PHASE", help="Only the checks of this phase. Default: all that are done.")
@click.option("--record", is_flag=True, help="Put what is found into the ledger, and so into the report.")
@click.option("--ledger", is_flag=True, help="Verify the ledger's hash chain instead of the data.")
@click.option("--head", metavar="SEQ:HASH", help="The chain's head as a report has it. Default: plan.lock.json's.")
@options.output
def command(
    plan: Path | None,
    database: str | None,
    phase: str | None,
    record: bool,
    ledger: bool,
    head: str | None,
    output: Output,
) -> int:
    """Check again that what was done still holds.

    Makes the checks of every phase that is done, and compares each mapping with its table, row by row, while
    writes go on. With --ledger it looks for entries that were changed, removed or put in. Exits with 1 when
    something is found.

    \b
    Example:
      lockgate verify my-plan
      lockgate verify my-plan --ledger
    """
    if ledger:
        return _verify_ledger(plan, database, head, output)
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.cli.progress import shown
    from lockgate.engine.clock import SystemClock
    from lockgate.verification import record as keep
    from lockgate.verification import verify

    loaded = context.load(plan)
    sessions = context.sessions(database, loaded.plan.settings)
    sessions.preflight()
    clock = SystemClock()
    found = []
    with stop_on_signal("the present check") as stop, shown(output, clock) as progress:
        for item in verify(loaded, sessions, only=phase, progress=progress, clock=clock, stop=stop):
            found.append(item)
            if record:
                keep(loaded, sessions, item)
            _tell(output, item)
        if stop.is_set():
            return ExitCode.INTERRUPTED
    passed = sum(item.passed for item in found)
    if output.json:
        output.event({"event": "result", "checks": len(found), "passed": passed, "recorded": record})
    else:
        output.line(f"{passed} of {len(found)} checks hold.", "good" if passed == len(found) else "bad")
    return ExitCode.DONE if passed == len(found) else ExitCode.FAILED


def _tell(output: Output, item: Verified) -> None:
    if output.json:
        output.event(_as_json(item))
        return
    what = item.result.what if item.result else str(item.error)
    style = "good" if item.passed else "bad"
    output.line(f"{output.styled('holds ' if item.passed else 'FAILED', style)}  {item.phase}: {what}")
    if not item.passed:
        output.line(f"        Where: {item.where}")
        hint = item.result.hint if item.result else item.error.hint if item.error else None
        if hint:
            output.line(f"        Do: {hint}")


def _as_json(item: Verified) -> dict[str, Any]:
    return {
        "event": "check",
        "phase": item.phase,
        "check": item.number,
        "asks": item.asks,
        "where": item.where,
        "passed": item.passed,
        "what": item.result.what if item.result else None,
        "error": item.error.what if item.error else None,
        "evidence": {fact.name: dict(fact.result) for fact in item.result.evidence} if item.result else {},
    }


def _verify_ledger(plan: Path | None, database: str | None, head: str | None, output: Output) -> int:
    from lockgate.ledger import audit, chain, require

    known = head or _kept_head(plan)
    with context.sessions(database).open("verify") as conn:
        require(conn)
        context.warn_of_copy(conn)
        present = chain.head(conn)
        faults = audit.verify(conn, known)
    if output.json:
        output.object({"head": present, "compared_with": known, "faults": [fault.what for fault in faults]})
        return ExitCode.FAILED if faults else ExitCode.DONE
    for fault in faults:
        output.line(fault.what, "bad")
    against = f", and goes on from {known[:24]}..." if known else ""
    if not faults:
        output.line(f"The ledger's chain is sound up to {present[:24]}...{against}.", "good")
        if not known:
            output.line("Nothing was given to compare it with: --head SEQ:HASH, or a plan with its plan.lock.json.")
    return ExitCode.FAILED if faults else ExitCode.DONE


def _kept_head(plan: Path | None) -> str | None:
    """The head that the last apply or approve left beside the plan."""
    from lockgate.plan.lock import read_lock

    folder = plan or context.HERE
    lock = read_lock(folder if folder.is_dir() else folder.parent)
    return lock.ledger_head if lock else None
