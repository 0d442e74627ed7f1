"""Check ``explain``: a query's plan is as expected."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.checks.explaining import QueryPlan, explain
from lockgate.checks.names import family, near, rows
from lockgate.engine import sqlerrors
from lockgate.engine.evidence import Evidence
from lockgate.plan.models import ExplainCheck, format_duration, split_name

_SHOWN = 5
_HINT = "An ANALYZE of its tables, or an index, may be missing; on a small table the planner needs no index."


class Runner:
    """Explains the query, and runs it where that is asked for."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """:raises LockgateError: if the query itself fails."""
        check: ExplainCheck = ctx.check
        try:
            plans = [explain(ctx.conn, check.explain, run=True) for _ in range(check.runs if check.runs_it else 0)]
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
        what = f"{words}: {'; '.join(problems)}{_read(plan)}" if problems else words
        evidence = Evidence("explain", f"EXPLAIN {check.explain}", result)
        return CheckResult(
            not problems, what, (evidence,), hint=_HINT if problems else None, value=median(times) if times else None
        )

    def describe(self, check: ExplainCheck) -> str:
        """The expectations."""
        said = []
        if check.uses_index:
            said.append(f"uses index {check.uses_index}")
        if check.no_seq_scan:
            said.append(f"does not scan {', '.join(check.no_seq_scan)}")
        for table, names in check.partitions.items():
            said.append(f"reads of {table} only {', '.join(names) or 'nothing'}")
        for table, number in check.partitions_at_most.items():
            said.append(f"reads at most {number} partition{'' if number == 1 else 's'} of {table}")
        if check.estimate_within is not None:
            said.append(f"yields what is expected within {check.estimate_within:g} times")
        if check.at_most:
            said.append(f"takes at most {format_duration(check.at_most)}")
        return f"the query {' and '.join(said)}"


def _read(plan: QueryPlan) -> str:
    """The lines of the plan that say what is read."""
    lines = plan.lines
    if not lines:
        return ""
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f". The plan: {'; '.join(lines[:_SHOWN])}{more}"


def _problems(conn: Connection[Any], check: ExplainCheck, plan: QueryPlan) -> Iterator[str]:
    if check.uses_index:
        yield from _unused(conn, check.uses_index, plan)
    for name in check.no_seq_scan:
        if not _tables(conn, name):
            yield f"table {name} is not there"
        if hit := sorted(_tables(conn, name) & plan.seq_scans):
            yield f"{', '.join('.'.join(pair) for pair in hit)} is scanned from end to end"
    for table, names in check.partitions.items():
        known = {name for _, name in _tables(conn, table)}
        allowed = {_last(name) for name in names}
        yield from (f"{table} has no partition {name}" for name in sorted(allowed - known))
        if more := sorted(name for _, name in _partitions(conn, table, plan) if name not in allowed):
            yield f"{len(more)} more partition{'' if len(more) == 1 else 's'} of {table} are read: {', '.join(more)}"
    for table, number in check.partitions_at_most.items():
        found = sorted(name for _, name in _partitions(conn, table, plan))
        if len(found) > number:
            of = len(_tables(conn, table)) - 1
            yield f"{len(found)} of {of} partitions of {table} are read: {', '.join(found)}"
    if check.estimate_within is not None:
        yield from plan.misjudged(check.estimate_within)


def _unused(conn: Connection[Any], label: str, plan: QueryPlan) -> Iterator[str]:
    """A plan names indexes without their schema, and those of partitions instead of the partitioned table's."""
    name = split_name(label) or (label,)
    known = [tuple(row["name"]) for row in rows(conn, "indexes")]
    meant = [other for other in known if other[-len(name) :] == name]
    used = ", ".join(sorted(plan.indexes)) or "none"
    if not meant:
        alike = known if len(name) == 2 else [other[-1:] for other in known]
        yield f"index {label} is not there{near(name, alike)} (used: {used})"
    elif not plan.indexes & {index for schema, called in meant for _, index in family(conn, schema, called)}:
        yield f"index {label} is not used (used: {used})"


def _partitions(conn: Connection[Any], table: str, plan: QueryPlan) -> set[tuple[str, str]]:
    """The partitions of a table that the plan reads."""
    return plan.reads & _tables(conn, table)


def _tables(conn: Connection[Any], name: str) -> set[tuple[str, str]]:
    """The table, and its partitions; without a schema as the search_path finds it."""
    row = conn.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = to_regclass(%s)",
        (name,),
    ).fetchone()
    return family(conn, row[0], row[1]) if row is not None else set()


def _last(name: str) -> str:
    return (split_name(name) or (name,))[-1]
