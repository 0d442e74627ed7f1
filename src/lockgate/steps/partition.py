"""Step ``partition``: a partitioned table is filled beside a plain one, kept in step, and takes its name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lockgate.catalog import relations
from lockgate.catalog.relations import Relation
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.recording import own_role
from lockgate.errors import PlanError
from lockgate.ledger import steps
from lockgate.partitioning import fitness, staging
from lockgate.partitioning.calendar import Period, between, period_of, shifted
from lockgate.plan.models import PartitionStep, Phase
from lockgate.plan.partitions import lacks, name_of, pattern_of
from lockgate.replacing import shape, swap
from lockgate.replacing.fitness import Fault
from lockgate.replacing.swap import Moved, Pair
from lockgate.script.running import strong_lock
from lockgate.steps.base import StepResult, place
from lockgate.steps.keying import build_key, needs_key, validate_keys
from lockgate.steps.replacing import Replacing, aside, refuse_names, unquoted

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_MOST = 1_000


class Runner(Replacing):
    """Puts a partitioned table in a table's place."""

    done = "partitioned"

    def validate(self, loaded: LoadedPlan, phase: Phase, step: PartitionStep) -> None:
        """:raises PlanError: if two partitions would get one name."""
        missing = lacks(step.name, step.interval) if step.name is not None else None
        if missing is not None:
            raise PlanError(
                f"`name` lacks {missing}",
                where=place(loaded, phase, step, "name"),
                why=f"Two partitions, each of a {step.interval}, would get one name.",
            )

    def _key(self, step: PartitionStep, table: Relation) -> tuple[str, ...]:
        """The primary key that the partitioned table gets."""
        return tuple(map(unquoted, step.primary_key)) if step.primary_key is not None else table.primary_key

    def _look(self, conn: Connection[Any], step: PartitionStep, table: Relation) -> Fault | None:
        return fitness.look(conn, table, unquoted(step.by), self._key(step, table))

    def _make(self, ctx: StepContext, conn: Connection[Any], table: Relation) -> Pair:
        step: PartitionStep = ctx.step
        column = table.column(unquoted(step.by))
        assert column is not None  # it was looked at just now
        type_ = column.plain_type
        periods = _periods(ctx, conn, table, type_)
        pattern = step.name or pattern_of(table.name, step.interval)
        parts = [(name_of(pattern, period.start), period) for period in periods]
        default = shape.suffixed(table.name, "_default")
        staged, before = shape.suffixed(table.name, "_partitioned"), aside(step, table.name)
        where = partial(place, ctx.loaded, ctx.phase, step)
        refuse_names(conn, table, [staged, before, default, *(name for name, _ in parts)], where)
        source, target = sql.Identifier(table.schema, table.name), sql.Identifier(table.schema, staged)
        key = self._key(step, table)
        with ctx.fenced(conn):
            new, indexes = staging.make(conn, table.oid, source, table.schema, staged, column.name, key)
            for name, period in (*parts, (default, None)):
                staging.add(conn, table.oid, target, sql.Identifier(table.schema, name), period, type_)
            statistics = shape.extend(conn, table.oid, target)
            pair = Pair(table.oid, new, table.schema, table.name, staged, before, tuple(indexes), statistics)
            steps.record(conn, ctx.step_row.id, detail={"pair": pair.dump(), "moved": None})
            fault("replacing.make")
        ctx.progress.event(f"{table.label}: {len(parts)} partitions are made, and one for what fits none")
        return pair

    def _ready(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> Pair:
        key = self._key(ctx.step, relations.read(conn, pair.old))
        if needs_key(conn, pair.old, key):
            build_key(ctx, pair, key)
        return pair

    def _finish(self, ctx: StepContext, conn: Connection[Any], pair: Pair, moved: Moved) -> None:
        validate_keys(ctx, conn, pair.new, "replacing.validated")
        for key in moved.foreign_keys:

            def attempt(each: Connection[Any], key: dict[str, Any] = key) -> None:
                with ctx.fenced(each):
                    own_role(each)
                    swap.join_key(each, pair, key)

            locked = (pair.named().as_string(None), key["other"])
            strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), locked).do(attempt)
            fault("partition.key")

    def _result(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> StepResult:
        count = len(relations.leaves(conn, pair.new))
        return StepResult(
            f"{ctx.step.table} has {count} partitions; the table of before is {pair.schema}.{pair.aside}",
            facts={"partitions": count, "aside": f"{pair.schema}.{pair.aside}"},
        )

    def _lines(self, conn: Connection[Any], step: PartitionStep, table: Relation, where: Any) -> list[str]:
        return [
            f"{table.label}, about {max(0, round(table.estimated_rows))} rows, is copied into partitions by "
            f"{step.interval} of {step.by}, and kept in step: SHARE ROW EXCLUSIVE to log it"
        ]


def _periods(ctx: StepContext, conn: Connection[Any], table: Relation, type_: str) -> list[Period]:
    """From the first row, or the step's ``start``, to the last one that is made ahead of time."""
    step: PartitionStep = ctx.step
    first, _ = staging.span(conn, sql.Identifier(table.schema, table.name), unquoted(step.by), type_)
    present = period_of(ctx.clock.of(conn).date(), step.interval)
    begin = period_of(first, step.interval) if first is not None else present
    begin = max(begin, period_of(step.first_day, step.interval))
    periods = []
    for period in between(min(begin, present), shifted(present, step.interval, step.ahead), step.interval):
        periods.append(period)
        if len(periods) > _MOST:
            raise PlanError(
                f"{table.label} would get more than {_MOST} partitions",
                where=place(ctx.loaded, ctx.phase, step, "interval"),
                why=f"Its first row is of {first}.",
                hint="Choose a longer interval, or say from which day on: `start: 2020-01-01`.",
            )
    return periods
