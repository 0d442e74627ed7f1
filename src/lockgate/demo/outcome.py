"""The end of a demo: what was measured goes into the ledger, and everything is read from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockgate.demo import figures
from lockgate.demo.journal import Latency
from lockgate.demo.options import DemoOptions
from lockgate.demo.parts import write
from lockgate.demo.result import DemoResult, Ending
from lockgate.demo.stage import Stage
from lockgate.ledger import chain
from lockgate.report import collect

_QUERY = "the load client's journal, compared with both models once all changes were applied"


def outcome(
    *,
    options: DemoOptions,
    stage: Stage,
    expected: Any,
    verified: Mapping[str, Any],
    checks_failed: tuple[str, ...],
    ending: Ending | None,
    phases_wanted: int,
) -> DemoResult:
    """Put the load's figures into the ledger, write the report, and gather all figures.

    :param verified: the answer of the project's ``verify``.
    """
    shown = {name: value for name, value in verified.items() if name not in ("lost", "failures")}
    plan = stage.name
    with stage.sessions.open("demo") as conn:
        with conn.transaction():
            chain.evidence(conn, plan=plan, phase=None, step=None, name="load", query=_QUERY, result=shown)
        report = collect(conn, plan, show_values=True)  # all of them were made up
    report_md, report_json = write(report, stage.folder)
    accounts = figures.accounts(report.mappings, verified["load_rows"])
    return DemoResult(
        scale=options.scale,
        seed=options.seed,
        requests=verified["requests"],
        failed_requests=verified["failed_requests"],
        acknowledged_writes=verified["acknowledged_writes"],
        lost_writes=verified["lost_writes"],
        source_rows=figures.of_contacts(accounts, "source_rows"),
        migrated=figures.of_contacts(accounts, "migrated"),
        merged=figures.of_contacts(accounts, "merged"),
        rejected=figures.of_contacts(accounts, "rejected"),
        born_in_new_model=figures.born(accounts),
        unexplained_rows=sum(account.unexplained_rows for account in accounts),
        load_rows=figures.load_rows(accounts),
        backfill_rows_per_second=figures.backfill_rows_per_second(report),
        latency={name: Latency(**found) for name, found in verified["latency"].items()},
        phases_done=report.phases_done,
        phases_planned=report.phases_planned,
        checks_failed=checks_failed,
        accounts=accounts,
        differences=figures.differences(accounts, verified["primary_addresses"], expected),
        lost=verified["lost"],
        failures=verified["failures"],
        seconds=stage.seconds,
        report_md=report_md,
        report_json=report_json,
        kept=stage.database.kept,
        writers_held_ms=figures.writers_held(report),
        ending=ending,
        phases_wanted=phases_wanted,
    )
