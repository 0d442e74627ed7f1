"""Gate ``soak``: time has passed since an earlier phase ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockgate.engine.evidence import Evidence
from lockgate.engine.phases import PhaseState
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.ledger import phases
from lockgate.plan.models import SoakGate, format_duration

_QUERY = "SELECT state, ended_at, clock_timestamp() FROM lockgate.phases WHERE plan = '{plan}' AND phase = '{phase}'"


class Runner:
    """Compares the database's time with the end of the phase in the ledger."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Open when the time has passed; refused when the earlier phase is not done."""
        since, needed = ctx.gate.soak.since, ctx.gate.soak.for_
        plan = ctx.loaded.plan.plan
        row = phases.state(ctx.conn, plan).get(since)
        query = _QUERY.format(plan=plan, phase=since)
        if row is None or row.ended_at is None or row.state != PhaseState.DONE.value:
            result: dict[str, Any] = {"state": row.state if row else PhaseState.PENDING.value, "passed": False}
            return GateResult(
                False,
                f"phase {since}, since which time must pass, is not done",
                Refusal.REFUSED,
                hint=f"Finish phase {since} first.",
                evidence=(Evidence(f"soak:{since}", query, result),),
            )
        now = ctx.clock.of(ctx.conn)
        waited = now - row.ended_at
        ready_at = row.ended_at + needed
        passed = waited >= needed
        result = {
            "ended_at": row.ended_at,
            "now": now,
            "waited_seconds": waited.total_seconds(),
            "needed_seconds": needed.total_seconds(),
            "passed": passed,
        }
        evidence = (Evidence(f"soak:{since}", query, result),)
        if passed:
            return GateResult(
                True, f"phase {since} ended {timedelta(seconds=int(waited.total_seconds()))} ago", evidence=evidence
            )
        return GateResult(
            False,
            f"phase {since} must have ended {format_duration(needed)} ago",
            Refusal.TIME,
            hint=f"Run `lockgate apply` again after {ready_at:%Y-%m-%d %H:%M:%S} UTC.",
            ready_at=ready_at,
            evidence=evidence,
        )

    def describe(self, gate: SoakGate) -> str:
        """What must have passed."""
        return f"{format_duration(gate.soak.for_)} since phase {gate.soak.since} ended"
