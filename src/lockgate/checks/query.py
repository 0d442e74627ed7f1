"""Check ``query``: a query yields what is expected."""

from __future__ import annotations

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.checks.expectation import judge
from lockgate.plan.models import QueryCheck


class Runner:
    """Asks the query."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """:raises LockgateError: if the query itself fails."""
        found = judge(ctx.conn, ctx.check, ctx.where)
        return CheckResult(found.passed, found.what, (found.evidence,), value=found.value)

    def describe(self, check: QueryCheck) -> str:
        """The title, else the query."""
        return check.title or " ".join(check.query.split())
