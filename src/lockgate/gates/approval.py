"""Gate ``approval``: people approved this plan for this schema."""

from __future__ import annotations

from lockgate.catalog.document import Document
from lockgate.engine import approval
from lockgate.engine.approval import Given
from lockgate.engine.evidence import Evidence
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import ApprovalGate

_QUERY = "SELECT payload FROM lockgate.chain WHERE kind = 'approval' AND plan = '{plan}' AND phase = '{phase}'"


class Runner:
    """Counts the approvals in the ledger that are for the present plan and schema."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Open with enough approvals; an approval of another plan or schema stops the run."""
        plan, phase = ctx.loaded.plan.plan, ctx.phase.id
        needed = ctx.gate.approval.by
        given = approval.given(ctx.conn, plan, phase) if ctx.ledger else []
        schema = ctx.schema()
        good = [g for g in given if g.digest == ctx.loaded.digest and g.fingerprint == schema.digest]
        people = [g.by for g in good]
        result = {
            "digest": ctx.loaded.digest,
            "fingerprint": schema.digest,
            "approved_by": people,
            "needed": needed,
            "passed": len(good) >= needed,
        }
        evidence = (Evidence(f"approval:{phase}", _QUERY.format(plan=plan, phase=phase), result),)
        if len(good) >= needed:
            return GateResult(True, f"approved by {', '.join(people)}", evidence=evidence)
        how = f"`lockgate approve {phase}`"
        if other := [g for g in given if g not in good]:
            return GateResult(
                False,
                f"phase {phase} was approved by {other[-1].by}, but {_changed(ctx, other[-1], schema)}",
                Refusal.CHANGED,
                hint=f"Look at the change, then approve again with {how}.",
                evidence=evidence,
            )
        return GateResult(
            False,
            f"phase {phase} needs {needed} approval{'' if needed == 1 else 's'} and has {len(good)}",
            Refusal.APPROVAL,
            hint=f"{'Another person approves' if good else 'Approve'} with {how}.",
            evidence=evidence,
        )

    def describe(self, gate: ApprovalGate) -> str:
        """How many must approve."""
        return f"approval by {gate.approval.by} {'person' if gate.approval.by == 1 else 'people'}"


def _changed(ctx: GateContext, given: Given, schema: Document) -> str:
    if given.digest != ctx.loaded.digest:
        return "the plan was changed since"
    return f"the schema was changed since{approval.changed_since(ctx.conn, given.fingerprint, schema)}"
