"""What is said at the end of a run, and kept beside the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.cli import amounts
from lockgate.cli.output import Output, columns

if TYPE_CHECKING:
    from psycopg import Connection

    from lockgate.engine.runner import RunResult
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.report import Report


def tell(output: Output, loaded: LoadedPlan, sessions: Sessions, result: RunResult, *, back: bool = False) -> None:
    """The summary of ``apply`` (or, with ``back``, of ``rollback``), read from the ledger."""
    from lockgate.report import collect

    with sessions.open("summary") as conn:
        report = collect(conn, loaded.plan.plan)
        keep_lock(output, loaded, conn)
    if output.json:
        output.event(
            {
                "event": "result",
                "outcome": result.outcome.name.lower(),
                "exit_code": int(result.exit_code),
                "phases": list(result.phases),
                "phases_done": report.phases_done,
                "phases_planned": report.phases_planned,
                "why": result.why,
                "head": report.head,
            }
        )
        return
    _tell_people(output, result, report, "took back" if back else "finished")


def keep_lock(output: Output, loaded: LoadedPlan, conn: Connection[object]) -> None:
    """Write ``plan.lock.json``: the plan that was applied or approved, and the head of the chain."""
    from lockgate.errors import PlanError
    from lockgate.ledger import chain
    from lockgate.plan.lock import write_lock

    try:
        write_lock(loaded, ledger_head=chain.head(conn))
    except PlanError as error:
        # The work is done and in the ledger; a folder that cannot be written must not make it look failed.
        if not output.json:
            output.line(f"Note: {error.what} ({error.where}): {error.why}", "warn")


def _tell_people(output: Output, result: RunResult, report: Report, verb: str) -> None:
    if result.why:
        output.line(f"Stopped: {result.why}", "warn")
        output.line("Run the same command again to go on.")
    if result.phases:
        output.line(f"This run {verb} {', '.join(result.phases)}.")
    elif not result.why:
        output.line("There was nothing to do.")
    output.line(f"{report.phases_done} of {report.phases_planned} phases are done.", "title")
    accounts = [(mapping.name, mapping.accounting) for mapping in report.mappings if mapping.accounting]
    if accounts:
        head = ("", "source", "migrated", "merged", "rejected", "born in the new model", "unexplained")
        rows = [
            (
                name if a.of == "source rows" else f"{name} ({a.of})",
                *(
                    amounts.count(value)
                    for value in (
                        a.source_rows,
                        a.migrated,
                        a.merged,
                        a.rejected,
                        a.born_in_new_model,
                        a.unexplained_rows,
                    )
                ),
            )
            for name, a in accounts
        ]
        for line in columns([head, *rows], indent="  ", right=range(1, 7)):
            output.line(line)
    output.line("`lockgate report` writes all of it, with the evidence.")
