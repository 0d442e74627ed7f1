"""Reading the report from the ledger, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import Connection

from lockgate.errors import LedgerError
from lockgate.ledger import audit, chain, require, standing
from lockgate.ledger.chain import ChainEntry
from lockgate.ledger.standing import Trend
from lockgate.report import keeping, listings, measurements, model, phases, removed, retiring, tell, visible

_TREND = 10  # results of a standing check that are shown
ACCOUNTING, RECONCILE = "accounting:", "reconcile:"


def collect(conn: Connection[Any], plan: str, *, show_values: bool = False) -> model.Report:
    """Read all that the ledger says about a plan.

    :param show_values: also show text that may come from rows: example keys, values that queries yielded.
    :raises LedgerError: when there is no ledger, or the plan has no history in it.
    """
    require(conn)
    with conn.transaction():
        entries = chain.entries(conn, plan)
        head = chain.head(conn)
        faults = audit.verify(conn)
        rows = tuple(listings.collect(conn, plan, show_values=show_values))
        trends = standing.trends(conn, plan, _TREND)
    if not entries:
        raise LedgerError(
            f"Plan {plan} has no history in this database",
            where=f"database {conn.info.dbname}",
            hint="Check the address and the plan; `lockgate apply` begins the history.",
        )
    outline = phases.outline(entries)
    parts = tuple(phases.collect(entries, outline, show_values=show_values))
    exhibits = tuple(_exhibit(entry, show_values) for entry in entries if entry.kind == "evidence")
    return model.Report(
        plan=plan,
        description=outline.description,
        digest=outline.digest,
        digest_seq=outline.seq,
        head=head,
        as_of=entries[-1].at,
        entries=len(entries),
        faults=tuple(fault.what for fault in faults),
        let_pass=retiring.let_pass(entries),
        phases_done=sum(part.state == "done" for part in parts),
        phases_planned=len(parts),
        phases=parts,
        mappings=tuple(_mappings(_standing(entries))),
        listings=rows,
        measurements=tuple(measurements.collect(_exhibit(entry, show_values) for entry in _standing(entries))),
        handovers=tuple(retiring.handovers(_standing(entries), entries)),
        backups=tuple(retiring.backups(entries)),
        in_archive=tuple(keeping.in_archive(_standing(entries))),
        erasures_and_holds=tuple(keeping.events(entries)),
        removed=tuple(removed.collect(entries)),
        standing=tuple(_standing_check(trend) for trend in trends),
        approvals=tuple(tell.lines(entries, {"approval"})),
        events=tuple(tell.line(entry) for entry in entries if tell.remarkable(entry)),
        undone=tuple(tell.lines(entries, {"undo"})),
        exhibits=exhibits,
        log=tuple(tell.line(entry) for entry in entries if entry.kind != "evidence"),
    )


def _standing(entries: Sequence[ChainEntry]) -> list[ChainEntry]:
    """The facts about what stands: those of a phase that was taken back afterwards are history."""
    undone = {e.phase: e.seq for e in entries if e.kind == "undo" and e.payload.get("state") == "undone"}
    return [entry for entry in entries if entry.kind == "evidence" and entry.seq > undone.get(entry.phase, 0)]


def _standing_check(trend: Trend) -> model.Standing:
    last = trend.last
    return model.Standing(
        name=trend.check.name,
        asks=trend.check.asks,
        state=trend.state,
        at=last.at if last else None,
        found=last.found if last else None,
        values=tuple(result.value for result in trend.results),
        failing_since=trend.check.failing_since,
        alert_since=trend.check.alert_since,
    )


def _exhibit(entry: ChainEntry, show_values: bool) -> model.Exhibit:
    return model.Exhibit(
        entry.seq,
        entry.at,
        entry.phase,
        entry.step,
        str(entry.payload.get("name", "")),
        str(entry.payload.get("query", "")),
        visible.result(_result(entry), show_values=show_values),
    )


def _result(entry: ChainEntry) -> Mapping[str, Any]:
    result = entry.payload.get("result")
    return result if isinstance(result, Mapping) else {"value": result}


def _mappings(entries: Iterable[ChainEntry]) -> Iterable[model.MappingPart]:
    accounts: dict[str, model.Accounting] = {}
    comparisons: dict[str, model.Reconciliation] = {}
    names: dict[str, None] = {}
    for entry in entries:
        name, result = str(entry.payload.get("name", "")), _result(entry)
        if name.startswith(ACCOUNTING):
            names[name.removeprefix(ACCOUNTING)] = None
            accounts[name.removeprefix(ACCOUNTING)] = _accounting(entry, result)
        elif name.startswith(RECONCILE):
            names[name.removeprefix(RECONCILE)] = None
            comparisons[name.removeprefix(RECONCILE)] = _reconciliation(entry, result)
    return [model.MappingPart(name, accounts.get(name), comparisons.get(name)) for name in names]


def _accounting(entry: ChainEntry, result: Mapping[str, Any]) -> model.Accounting:
    return model.Accounting(
        seq=entry.seq,
        at=entry.at,
        source_rows=result["source_rows"],
        migrated=result["migrated"],
        merged=result["merged"],
        rejected=result["rejected"],
        rejected_by_reason=dict(result["rejected_by_reason"]),
        born_in_new_model=result["born_in_new_model"],
        unexplained_rows=result["unexplained_rows"],
        of=result.get("of", "source rows"),
    )


def _reconciliation(entry: ChainEntry, result: Mapping[str, Any]) -> model.Reconciliation:
    return model.Reconciliation(
        seq=entry.seq,
        at=entry.at,
        missing=result["missing"],
        different=result["different"],
        extra=result["extra"],
        pending=result["pending"],
        compared_rows=result["compared_rows"],
        target_rows=result["target_rows"],
    )
