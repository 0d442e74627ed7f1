"""Check ``explain``: a query's plan is as expected."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.checks.explaining import QueryPlan, explain
from lockgate.engine import sqlerrors
from lockgate.engine.evidence import Evidence
from lockgate.plan.models import ExplainCheck, format_duration, split_name

RUNS = 3


class Runner:
    """Explains the query, and runs it where its time is limited."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """:raises LockgateError: if the query itself fails."""
        check: ExplainCheck = ctx.check
        try:
            plans = [explain(ctx.conn, check.explain, run=True) for _ in range(RUNS)] if check.at_most else []
            plan = plans[-1] if plans else explain(ctx.conn, check.explain)
            problems = list(_problems(ctx.conn, check, plan))
        except psycopg.Error as error:
            raise sqlerrors.explain(error, ctx.where, "The query cannot be explained") from error
        times = [p.milliseconds for p in plans if p.milliseconds is not None]
        if check.at_most and times and median(times) > check.at_most.total_seconds() * 1000:
            problems.append(f"it takes {median(times):.1f} ms, more than {format_duration(check.at_most)}")
        result: dict[str, Any] = {"passed": not problems, "problems": problems, "plan": plan.tree}
        if times:
            result |= {"milliseconds": times, "median_milliseconds": median(times)}
        words = self.describe(check)
        what = f"{words}: {'; '.join(problems)}" if problems else words
        hint = "An ANALYZE of its tables, or an index, may be missing; on a small table the planner needs no index."
        return CheckResult(
            not problems,
            what,
            (Evidence("explain", f"EXPLAIN {check.explain}", result),),
            hint=hint if problems else None,
        )

    def describe(self, check: ExplainCheck) -> str:
        """The expectations."""
        parts = []
        if check.uses_index:
            parts.append(f"uses index {check.uses_index}")
        if check.no_seq_scan:
            parts.append(f"does not scan {', '.join(check.no_seq_scan)}")
        if check.at_most:
            parts.append(f"takes at most {format_duration(check.at_most)}")
        return f"the query {' and '.join(parts)}"


def _problems(conn: Connection[Any], check: ExplainCheck, plan: QueryPlan) -> Iterator[str]:
    if check.uses_index and _last(check.uses_index) not in plan.indexes:
        used = ", ".join(sorted(plan.indexes)) or "none"
        yield f"index {check.uses_index} is not used (used: {used})"
    scanned = plan.seq_scans
    for name in check.no_seq_scan:
        if hit := sorted(_leaves(conn, name) & scanned):
            yield f"{', '.join('.'.join(pair) for pair in hit)} is scanned from end to end"


def _leaves(conn: Connection[Any], name: str) -> set[tuple[str, str]]:
    """The table, and its partitions."""
    rows = conn.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = to_regclass(%(name)s)"
        " OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass(%(name)s)))",
        {"name": name},
    ).fetchall()
    return {(schema, table) for schema, table in rows}


def _last(name: str) -> str:
    parts = split_name(name)
    return parts[-1] if parts else name
