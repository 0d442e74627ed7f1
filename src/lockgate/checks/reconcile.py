"""Check ``reconcile``: mapping and table agree, and every source row is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.copying import agreement
from lockgate.cutover import draining, record, targets, wayback
from lockgate.cutover.record import HandedOver
from lockgate.engine.evidence import Evidence
from lockgate.errors import LedgerError
from lockgate.fitting import judging
from lockgate.mapping import accounting, install
from lockgate.mapping import group as groups
from lockgate.mapping.reconcile import one_snapshot, reconcile
from lockgate.plan.models import CopyStep, ReconcileCheck

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Compares in one snapshot, while writes go on."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """:raises LedgerError: if the mapping has not begun."""
        name = ctx.check.reconcile
        with ctx.sessions.open("reconcile") as conn:
            target_id = install.target_of(conn, ctx.loaded.plan.plan, name)
            if target_id is None and (normalised := judging.find(ctx.loaded, name)) is not None:
                return judging.judge(ctx, conn, *normalised)
            if target_id is None and _is_copy(ctx.loaded, name):
                return agreement.judge(ctx, conn, name)
            if target_id is None:
                raise LedgerError(f"mapping {name} has not begun", where=ctx.where, hint="run its phase first")
            handed_over = record.handed_over(conn, target_id)
            if handed_over is None:
                return compare(conn, target_id, name)
            return _through_way_back(conn, target_id, name, handed_over)

    def describe(self, check: ReconcileCheck) -> str:
        """What is compared."""
        return f"reconcile {check.reconcile}"


def _is_copy(loaded: LoadedPlan, name: str) -> bool:
    steps = (step for phase in loaded.plan.phases for step in phase.steps)
    return any(isinstance(step, CopyStep) and step.copy_ == name for step in steps)


def _through_way_back(conn: Connection[Any], target_id: int, name: str, over: HandedOver) -> CheckResult:
    """While the way back is open, the old model must yield what the new one is, as far as it has arrived there."""
    since = f"the application owns it since {over.step}, {over.at:%Y-%m-%d %H:%M:%S} UTC"
    if not over.back or targets.states(conn, over.back) != {"live"}:
        return CheckResult(True, f"{name}: not compared: {since}, and the old model is not kept in step", ())
    busy = draining.pending(conn, over.back)
    found = compare(conn, target_id, name, followed=False)
    if found.passed:
        return found
    if wayback.left_alone(conn, over.back, target_id):
        return CheckResult(True, f"{name}: not judged: it serves the way back, and nothing follows it; {since}", ())
    if not (busy or draining.pending(conn, over.back)):
        return found
    return CheckResult(True, f"{name}: not judged: {since}, and its changes are on their way to the old model", ())


def compare(conn: Connection[Any], target_id: int, name: str, *, followed: bool = True) -> CheckResult:
    """Compare the table that a mapping fills with what it yields, and account for each row of its source.

    :param followed: whether the changes that are logged will still be applied.
    """
    group = groups.load(conn, target_id)
    compiled = next(mapping for mapping in group.compiled if mapping.name == name)
    with one_snapshot(conn, group):
        found = reconcile(conn, group, followed=followed)
        accounts = accounting.account(conn, group, compiled, found)
    compared = {
        "missing": found.missing,
        "different": found.different,
        "extra": found.extra,
        "pending": found.pending,
        "poisoned": found.poisoned,
        "conflicts": found.conflicts,
        "compared_rows": found.compared_rows,
        "target_rows": found.target_rows,
        "buckets": found.buckets,
    }
    evidence = (
        Evidence(f"reconcile:{name}", found.query, compared),
        Evidence(f"accounting:{name}", accounts.query, accounting.as_evidence(accounts)),
    )
    passed = found.agrees and accounts.adds_up
    only = "only in the old model" if record.leads_back(conn, target_id) else "born in the new model"
    sentence = _sentence(name, compared, accounts, only)
    wrong = found.missing + found.different + found.extra
    return CheckResult(passed, sentence, evidence, None if passed else _hint(name), value=wrong)


def _sentence(name: str, compared: dict[str, int], accounts: accounting.Accounts, only: str) -> str:
    wrong = {kind: compared[kind] for kind in ("missing", "different", "extra") if compared[kind]}
    parts = [
        f"{name}: {accounts.source_rows} {accounts.of} = {accounts.migrated} migrated + {accounts.merged} merged "
        f"+ {accounts.rejected} rejected",
        f"{accounts.born} {only}",
    ]
    undeclared = accounts.rejected_by_reason.get(accounting.UNDECLARED, 0)
    if undeclared:
        parts.append(f"{undeclared} rejected for no declared reason")
    if compared["conflicts"]:
        parts.append(f"{compared['conflicts']} keys were written in both models: the old one's rows stand")
    if compared["poisoned"]:
        parts.append(f"keys that the target refuses: {compared['poisoned']}")
    parts.append(", ".join(f"{count} {kind}" for kind, count in wrong.items()) or "no difference")
    return "; ".join(parts)


def _hint(name: str) -> str:
    return (
        f"SELECT * FROM lockgate.quarantine WHERE mapping = '{name}' shows the rows that did not arrive; "
        "`lockgate status` shows keys that the target refuses"
    )
