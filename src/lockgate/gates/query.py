"""Gate ``query``: a query yields what is expected."""

from __future__ import annotations

from lockgate.checks.expectation import judge
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.plan.models import QueryGate


class Runner:
    """Asks the query."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """:raises LockgateError: if the query itself fails."""
        found = judge(ctx.conn, ctx.gate, ctx.where)
        return GateResult(
            found.passed,
            found.what,
            None if found.passed else Refusal.REFUSED,
            hint=None if found.passed else "Make it hold, then run `lockgate apply` again.",
            evidence=(found.evidence,),
        )

    def describe(self, gate: QueryGate) -> str:
        """The title, else the query."""
        return gate.title or " ".join(gate.query.split())
