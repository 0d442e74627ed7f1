"""Step ``measure``: two queries timed against each other, interleaved. May be repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import dict_row

from lockgate.checks.explaining import explain
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import CheckFailed, Interrupted
from lockgate.ledger import canonical
from lockgate.plan.models import MeasureStep, Phase
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

Parameters = Mapping[str, Any] | None

_SETTLING = 5.0
"""Seconds in which a table that follows another may catch up, before a difference is one."""
_SIDES = ("before", "after")


class Runner:
    """Times the queries, keeps their plans, and compares their rows."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: MeasureStep) -> None:
        """Nothing can be refused before."""

    def run(self, ctx: StepContext) -> StepResult:
        """:raises CheckFailed: if the queries return different rows.

        :raises LockgateError: if a query fails.
        """
        step: MeasureStep = ctx.step
        with ctx.sessions.open("measure", plan_sql=True, read_only=True) as conn:
            sets = _parameter_sets(ctx, conn)
            if not sets:
                return _not_measured(step)
            compared = _compare(ctx, conn, sets) if step.same_rows else None
            times = _times(ctx, conn, sets)
            plans = {side: _plan(ctx, conn, side, sets[0]) for side in _SIDES}
        spread = {side: _spread(times[side]) for side in _SIDES}
        faster = spread["before"]["median_ms"] / spread["after"]["median_ms"] if spread["after"]["median_ms"] else None
        result = {**spread, "factor": faster, "runs": step.runs, "parameter_sets": len(sets), "plans": plans}
        if compared is not None:
            result |= {"same_rows": True, "rows": compared}
        query = f"-- before\n{step.before}\n-- after\n{step.after}"
        before, after = spread["before"]["median_ms"], spread["after"]["median_ms"]
        return StepResult(
            f"median {before:.2f} ms before, {after:.2f} ms after, {step.runs} runs each",
            evidence=(Evidence(f"measure:{step.measure}", query, result),),
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: MeasureStep) -> list[str]:
        """Both queries and how often they run."""
        lines = [f"{step.runs} runs of each query, interleaved" + (", same rows" if step.same_rows else "")]
        return [*lines, *(f"{side}: {' '.join(getattr(step, side).split())}" for side in _SIDES)]

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """A measurement changes nothing."""
        return StepResult("nothing to undo")


def _parameter_sets(ctx: StepContext, conn: Connection[Any]) -> Sequence[Parameters]:
    if ctx.step.parameters is None:
        return [None]
    where = place(ctx.loaded, ctx.phase, ctx.step, "parameters")
    try:
        with conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(ctx.step.parameters.encode()).fetchall()
    except psycopg.Error as error:
        raise sqlerrors.explain(error, where, "The parameters cannot be read") from error
    return rows


def _not_measured(step: MeasureStep) -> StepResult:
    """A measurement decides nothing: a database without fitting rows, such as a copy, does not stop the plan."""
    assert step.parameters is not None
    return StepResult(
        "not measured: the query for the parameters yields no row",
        evidence=(Evidence(f"not_measured:{step.measure}", step.parameters, {"parameter_sets": 0}),),
    )


def _ask(ctx: StepContext, conn: Connection[Any], side: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    try:
        return conn.execute(getattr(ctx.step, side).encode(), parameters).fetchall()
    except psycopg.Error as error:
        raise _failed(ctx, side, error) from error


def _failed(ctx: StepContext, side: str, error: psycopg.Error) -> Exception:
    where = place(ctx.loaded, ctx.phase, ctx.step, side)
    return sqlerrors.explain(error, where, f"The query `{side}` failed")


def _times(ctx: StepContext, conn: Connection[Any], sets: Sequence[Parameters]) -> dict[str, list[float]]:
    """Milliseconds of each run; who comes first changes from pair to pair."""
    times: dict[str, list[float]] = {side: [] for side in _SIDES}
    for side in _SIDES:
        _ask(ctx, conn, side, sets[0])  # not counted: the first one fills caches
    for number in range(ctx.step.runs):
        if ctx.stop.is_set():
            where = place(ctx.loaded, ctx.phase, ctx.step)
            raise Interrupted("Stopped between two measurements", where=where)
        for side in _SIDES if number % 2 == 0 else reversed(_SIDES):
            started = ctx.clock.monotonic()
            _ask(ctx, conn, side, sets[number % len(sets)])
            times[side].append((ctx.clock.monotonic() - started) * 1000)
        fault("measure.pair")
    return times


def _spread(times: Sequence[float]) -> dict[str, Any]:
    low, _, high = quantiles(times, n=4)
    return {
        "median_ms": median(times),
        "quartile_low_ms": low,
        "quartile_high_ms": high,
        "fastest_ms": min(times),
        "slowest_ms": max(times),
        "times_ms": list(times),
    }


def _plan(ctx: StepContext, conn: Connection[Any], side: str, parameters: Parameters) -> Mapping[str, Any]:
    try:
        return explain(conn, getattr(ctx.step, side), parameters, run=True).tree
    except psycopg.Error as error:
        raise _failed(ctx, side, error) from error


def _compare(ctx: StepContext, conn: Connection[Any], sets: Sequence[Parameters]) -> int:
    """How many rows both queries return, over all parameter sets; the order of rows does not count.

    :raises CheckFailed: if they differ, and keep differing.
    """
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    total = 0
    for number, parameters in enumerate(sets):
        deadline = ctx.clock.monotonic() + _SETTLING
        while True:
            with conn.transaction():
                before, after = (_rows(_ask(ctx, conn, side, parameters)) for side in _SIDES)
            if before == after:
                break
            if ctx.clock.monotonic() >= deadline or ctx.clock.wait(ctx.stop, 0.25):
                raise CheckFailed(
                    "Both queries must return the same rows, and do not",
                    where=place(ctx.loaded, ctx.phase, ctx.step),
                    why=f"With parameter set {number + 1} of {len(sets)}, {(before - after).total()} rows come only"
                    f" from `before` and {(after - before).total()} only from `after`.",
                    hint="Run both by hand and compare; if they may differ, write same_rows: false.",
                )
        total += before.total()
    conn.isolation_level = None
    return total


def _rows(rows: Sequence[tuple[Any, ...]]) -> Counter[bytes]:
    return Counter(sha256(canonical.encode(canonical.plain(row))).digest() for row in rows)
