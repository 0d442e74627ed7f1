"""Gate ``rehearsed``: this plan came to its end on a copy of this schema."""

from __future__ import annotations

from lockgate.engine import approval
from lockgate.engine.evidence import Evidence
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.ledger import rehearsals
from lockgate.ledger.rehearsals import Rehearsal
from lockgate.plan.models import RehearsedGate, format_duration

_QUERY = "SELECT at, payload FROM lockgate.chain WHERE kind = 'rehearsal' AND plan = '{plan}' ORDER BY seq DESC LIMIT 1"
_AGAIN = "Rehearse it again with `lockgate rehearse --record`."


class Runner:
    """Asks the ledger for the newest rehearsal of the plan."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Open for one of this plan and this schema, without faults, and not too old."""
        plan = ctx.loaded.plan.plan
        newest = rehearsals.newest(ctx.conn, plan) if ctx.ledger else None
        if newest is None:
            return GateResult(
                False,
                "no rehearsal of this plan is recorded here",
                Refusal.REFUSED,
                hint="Rehearse it with `lockgate rehearse --record`.",
            )
        refusal, what = _judged(ctx, newest)
        result = {
            "digest": newest.digest,
            "fingerprint": newest.fingerprint,
            "server": newest.server,
            "faults": list(newest.faults),
            "at": newest.at,
            "passed": refusal is None,
        }
        evidence = (Evidence("rehearsed", _QUERY.format(plan=plan), result),)
        if refusal is None:
            return GateResult(True, what, evidence=evidence)
        return GateResult(False, what, refusal, hint=_AGAIN, evidence=evidence)

    def describe(self, gate: RehearsedGate) -> str:
        """How old the rehearsal may be."""
        return f"a rehearsal of this plan within {format_duration(gate.rehearsed.within)}"


def _judged(ctx: GateContext, newest: Rehearsal) -> tuple[Refusal | None, str]:
    """Why it does not do, None if it does; and that in words."""
    said = f"{newest.at:%Y-%m-%d %H:%M %Z}"
    if newest.digest != ctx.loaded.digest:
        return Refusal.CHANGED, f"the plan was changed since it was rehearsed ({said})"
    if newest.faults:
        more = f"; and {len(newest.faults) - 1} more" if len(newest.faults) > 1 else ""
        return Refusal.REFUSED, f"the rehearsal ({said}) found what must be mended: {newest.faults[0]}{more}"
    age = ctx.clock.of(ctx.conn) - newest.at
    within = ctx.gate.rehearsed.within
    if age > within:
        return Refusal.REFUSED, f"the rehearsal ({said}) is older than {format_duration(within)}"
    schema = ctx.schema()
    if newest.fingerprint != schema.digest:
        changed = approval.changed_since(ctx.conn, newest.fingerprint, schema)
        return Refusal.CHANGED, f"the schema was changed since the rehearsal ({said}){changed}"
    return None, f"rehearsed on {newest.server} ({said})"
