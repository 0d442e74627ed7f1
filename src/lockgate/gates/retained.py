"""Gate ``retained``: what a phase drops has been in the archive for as long as it must; every such phase has it."""

from __future__ import annotations

from lockgate.archive import dropping, holds
from lockgate.engine.evidence import Evidence
from lockgate.errors import PlanError
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import RetainedGate, split_name

_QUERY = "SELECT from_schema, name, archived_at, retain_until, clock_timestamp() FROM lockgate.archived"


class Runner:
    """Compares the ledger's dates with the database's clock."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Waits until the last of them may go."""
        found = []
        for name in ctx.gate.retained:
            parts = split_name(name)
            assert parts is not None, "the plan's model lets no other name through"
            try:
                found.append(dropping.find(ctx.conn, ctx.loaded.plan.plan, parts, ctx.where))
            except PlanError as error:
                return GateResult(False, f"{error.what}: {error.why}" if error.why else error.what, Refusal.REFUSED)
        held = [hold for one in found for hold in holds.stand(ctx.conn, archived=one.id)]
        now = ctx.clock.of(ctx.conn)
        waiting = sorted((one.retain_until, one.was.label) for one in found if one.retain_until > now)
        evidence = tuple(
            Evidence(
                f"retained:{one.was.label}",
                _QUERY,
                {
                    "archived_at": one.archived_at,
                    "retain_until": one.retain_until,
                    "now": now,
                    "holds": [hold.id for hold in held if hold.archived == one.id],
                    "passed": one.retain_until <= now and not any(hold.archived == one.id for hold in held),
                },
            )
            for one in found
        )
        if held:
            return GateResult(False, holds.words(held), Refusal.REFUSED, hint=holds.RELEASE, evidence=evidence)
        if not waiting:
            count = len(found)
            return GateResult(True, f"{count} table{'' if count == 1 else 's'} kept long enough", evidence=evidence)
        ready_at = waiting[-1][0]
        until = ", ".join(f"{label} must be kept until {at:%Y-%m-%d %H:%M:%S} UTC" for at, label in waiting)
        return GateResult(
            False,
            until,
            Refusal.TIME,
            hint=f"Run `lockgate apply` again after {ready_at:%Y-%m-%d %H:%M:%S} UTC.",
            ready_at=ready_at,
            evidence=evidence,
        )

    def describe(self, gate: RetainedGate) -> str:
        """The tables."""
        return f"{', '.join(gate.retained)} kept in the archive for as long as their step said"
