"""Step ``partition``: a partitioned table is filled beside a plain one, kept in step, and takes its name.

It is a mapping, and a cutover whose switch swaps the names. Until ``close`` the table of before, which is called
otherwise then, is kept in step: the undo swaps the names back and loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lockgate.archive.queries import load as archive_query
from lockgate.catalog import relations
from lockgate.catalog.relations import Relation
from lockgate.cutover import record
from lockgate.cutover.record import Cutover
from lockgate.cutover.scope import Scope
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.recording import own_role
from lockgate.engine.settling import settle
from lockgate.errors import PlanError
from lockgate.ledger import steps
from lockgate.mapping import changelog, group, install, removal
from lockgate.mapping.definition import Definition, from_step
from lockgate.partitioning import fitness, shape, swap
from lockgate.partitioning.calendar import Period, between, period_of, shifted
from lockgate.partitioning.family import taken
from lockgate.partitioning.swap import Pair
from lockgate.plan.models import MapStep, PartitionStep, Phase
from lockgate.plan.partitions import lacks, name_of, pattern_of
from lockgate.plan.steps import way_back_of
from lockgate.plan.values import split_name
from lockgate.script.running import strong_lock
from lockgate.sql.tree import quote
from lockgate.steps import filling, unpartition
from lockgate.steps.base import StepResult, place
from lockgate.steps.handover import Handover
from lockgate.steps.holding import drop_logs, hold_all
from lockgate.steps.keying import build_key, needs_key

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

_MOST = 1_000


class Runner:
    """Makes the partitioned table, has a mapping fill it, and swaps the names under a short lock."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: PartitionStep) -> None:
        """:raises PlanError: if two partitions would get one name."""
        missing = lacks(step.name, step.interval) if step.name is not None else None
        if missing is not None:
            raise PlanError(
                f"`name` lacks {missing}",
                where=place(loaded, phase, step, "name"),
                why=f"Two partitions, each of a {step.interval}, would get one name.",
            )

    def run(self, ctx: StepContext) -> StepResult:
        """:raises PlanError: before anything is changed, if something on the table cannot be moved."""
        with ctx.sessions.open("partition") as conn:
            found = record.find(conn, ctx.plan, ctx.step_id)
            if found is None or found.state != "over":
                pair = _pair(ctx, conn)
                fault("partition.made")
                filled = filling.Runner().run(replace(ctx, step=_forth(ctx, conn, pair)))
                if needs_key(conn, pair.old, _key(ctx.step, relations.read(conn, pair.old))):
                    build_key(ctx, pair, _key(ctx.step, relations.read(conn, pair.old)))
                fault("partition.filled")
                found = _Swap(ctx, conn, pair).do()
                ctx.progress.event(f"{ctx.step.table}: {filled.summary}")
            fault("partition.swapped")
            pair, moved = unpartition.known(ctx, conn)
            drop_logs(ctx, conn, found.targets)
            for target in found.back:
                settle(ctx.sessions, target, ctx.clock, ctx.stop, place(ctx.loaded, ctx.phase, ctx.step), ctx.progress)
            _finish_keys(ctx, conn, pair, moved.foreign_keys)
            count = len(relations.leaves(conn, pair.new))
        return StepResult(
            f"{ctx.step.table} has {count} partitions; the table of before is {pair.schema}.{pair.aside}",
            facts={"partitions": count, "aside": f"{pair.schema}.{pair.aside}"},
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: PartitionStep) -> list[str]:
        """The partitions and the locks."""
        where = partial(place, loaded, phase, step)
        if _swapped(conn, loaded, step):
            return ["the names are swapped already; the foreign keys are validated"]
        table = relations.named(conn, step.table, where("table"))
        fault_ = fitness.look(conn, table, _name(step.by), _key(step, table))
        fitness.refuse(fault_, table, where(fault_.key) if fault_ else "")
        locked = ["it", *swap.others(conn, table.oid)]
        return [
            f"{table.label}, about {max(0, round(table.estimated_rows))} rows, is copied into partitions by "
            f"{step.interval} of {step.by}, and kept in step: SHARE ROW EXCLUSIVE to log it",
            f"then the names are swapped: ACCESS EXCLUSIVE on {', '.join(locked)} for a moment",
            f"writers wait for {step.hold.total_seconds():g} s at most in one try",
            f"the table of before becomes {table.schema}.{_aside(step, table.name)} and is kept in step "
            f"until `close: {step.partition}`",
        ]

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Give the name back to the table of before."""
        return unpartition.take_back(ctx, lose_rows)


class _Swap(Handover):
    """Hands over to the partitioned table by the swap of the names."""

    def __init__(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> None:
        super().__init__(ctx, conn)
        self._pair = pair

    def _scope(self) -> Scope:
        target = install.target_of(self._conn, self._ctx.plan, self._ctx.step_id)
        assert target is not None  # it was filled just now
        return Scope((relations.read(self._conn, self._pair.old),), (group.load(self._conn, target),))

    def _way_back(self) -> list[Definition]:
        back = _back(self._ctx, self._conn, self._pair, swapped=False)
        return [from_step(back, self._place)]

    def _switch(self, conn: Connection[Any], found: Scope, cutover: Cutover, begun: float) -> Sequence[Relation]:
        ctx, pair = self._ctx, self._pair
        own_role(conn)
        # No applier begins a turn now, which would take its target's row first, and then the table.
        conn.execute(
            "SELECT FROM lockgate.sync_targets WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE",
            ([*cutover.targets, *cutover.back],),
        )
        hold_all(ctx, conn, swap.locked(conn, pair, pair.old, pair.named_staged()), begun)
        forth, back = _forth(ctx, conn, pair, swapped=True), _back(ctx, conn, pair, swapped=True)
        moved = swap.forth(conn, pair)
        fault("partition.swap")
        for target, mapping in ((cutover.back[0], back), (cutover.targets[0], forth)):
            install.redefine(conn, ctx.plan, target, from_step(mapping, self._place))
        steps.record(conn, ctx.step_row.id, detail={"moved": moved.dump()})
        # While the lock is held: of a partitioned table that is in use it is hard to get, with all its partitions.
        for log in removal.unread_logs(conn, *cutover.targets):
            changelog.silence(conn, log)
        return [relations.read(conn, pair.old)]


# --- what is made ----------------------------------------------------------------------------------------------


def _pair(ctx: StepContext, conn: Connection[Any]) -> Pair:
    """The two tables; the partitioned one is made, with its partitions, if a run before did not."""
    known = steps.get(conn, ctx.step_row.id).detail.get("pair")
    if known:
        return Pair.load(known)
    step: PartitionStep = ctx.step
    where = partial(place, ctx.loaded, ctx.phase, step)
    table = relations.named(conn, step.table, where("table"))
    fault_ = fitness.look(conn, table, _name(step.by), _key(step, table))
    fitness.refuse(fault_, table, where(fault_.key) if fault_ else "")
    _refuse_mapped(conn, table, where("table"))
    column = table.column(_name(step.by))
    assert column is not None  # it was looked at just now
    type_ = column.plain_type
    periods = _periods(ctx, conn, table, type_)
    pattern = step.name or pattern_of(table.name, step.interval)
    parts = [(name_of(pattern, period.start), period) for period in periods]
    default = shape.suffixed(table.name, "_default")
    staged, aside = shape.suffixed(table.name, "_partitioned"), _aside(step, table.name)
    _refuse_names(conn, table, [staged, aside, default, *(name for name, _ in parts)], where)
    source = sql.Identifier(table.schema, table.name)
    with ctx.fenced(conn):
        new, indexes = shape.make(conn, table.oid, source, table.schema, staged, column.name, _key(step, table))
        target = sql.Identifier(table.schema, staged)
        for name, period in (*parts, (default, None)):
            shape.add(conn, table.oid, target, sql.Identifier(table.schema, name), period, type_)
        pair = Pair(table.oid, new, table.schema, table.name, staged, aside, tuple(indexes))
        steps.record(conn, ctx.step_row.id, detail={"pair": pair.dump(), "moved": None})
        fault("partition.make")
    ctx.progress.event(f"{table.label}: {len(parts)} partitions are made, and one for what fits none")
    return pair


def _swapped(conn: Connection[Any], loaded: LoadedPlan, step: PartitionStep) -> bool:
    """Whether a run that was interrupted had come so far; there need not be a ledger."""
    row = conn.execute("SELECT pg_catalog.to_regclass('lockgate.cutovers') IS NOT NULL").fetchone()
    found = record.find(conn, loaded.plan.plan, step.partition) if row and row[0] else None
    return found is not None and found.state == "over"


def _periods(ctx: StepContext, conn: Connection[Any], table: Relation, type_: str) -> list[Period]:
    """From the first row, or the step's ``start``, to the last one that is made ahead of time."""
    step: PartitionStep = ctx.step
    first, _ = shape.span(conn, sql.Identifier(table.schema, table.name), _name(step.by), type_)
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


def _refuse_names(conn: Connection[Any], table: Relation, names: Sequence[str], where: Any) -> None:
    """:raises PlanError: if a name is too long for the server, given twice, or something else has it."""
    for number, name in enumerate(names):
        if len(name.encode()) > shape.LONGEST:
            raise PlanError(f'"{name}" is too long for a name', where=where("name"), hint="Say a shorter `name`.")
        if name in names[:number]:
            raise PlanError(f'"{name}" would be the name of two tables', where=where("name"))
        if taken(conn, table.schema, name):
            raise PlanError(
                f"{table.schema}.{name} is there already",
                where=where("name" if number > 1 else "aside"),
                hint="Rename it, or say other names: `name`, `aside`.",
            )


def _refuse_mapped(conn: Connection[Any], table: Relation, where: str) -> None:
    """:raises PlanError: if a mapping reads or fills it, which would go on with the table of before."""
    found = conn.execute(archive_query("tables.mapped"), {"oid": table.oid}).fetchone()
    if found is not None:
        raise PlanError(
            f"{table.label} cannot be partitioned: mapping {found[0]} reads or fills it",
            where=where,
            hint="Cut that over, close its way back, or take it back first.",
        )


# --- the mappings ----------------------------------------------------------------------------------------------


def _forth(ctx: StepContext, conn: Connection[Any], pair: Pair, *, swapped: bool = False) -> MapStep:
    """What fills the partitioned table.

    :param swapped: whether the tables have the names that they have afterwards.
    """
    names = (pair.aside, pair.name) if swapped else (pair.name, pair.staged)
    return _mapping(ctx, conn, pair, ctx.step_id, *names)


def _back(ctx: StepContext, conn: Connection[Any], pair: Pair, *, swapped: bool) -> MapStep:
    """What keeps the table of before in step."""
    names = (pair.name, pair.aside) if swapped else (pair.staged, pair.name)
    return _mapping(ctx, conn, pair, way_back_of(ctx.step_id), *names)


def _mapping(ctx: StepContext, conn: Connection[Any], pair: Pair, name: str, source: str, target: str) -> MapStep:
    table = relations.read(conn, pair.old)
    columns = ", ".join(f"o.{column.sql}" for column in table.columns if not column.generated)
    read, filled = (f"{quote(pair.schema)}.{quote(each)}" for each in (source, target))
    return MapStep.model_validate(
        {
            "map": name,
            "into": filled,
            "key": tuple(quote(column) for column in _key(ctx.step, table)),
            "from": read,
            "select": f"SELECT {columns} FROM {read} AS o",
            # They fire for what the application writes, at the table that has the name, and are off at the other.
            "acknowledge_triggers": tuple(trigger.name for trigger in table.triggers),
        }
    )


def _finish_keys(ctx: StepContext, conn: Connection[Any], pair: Pair, keys: Sequence[dict[str, Any]]) -> None:
    """Let foreign keys count for all rows: none of them was read while everybody waited."""
    where = place(ctx.loaded, ctx.phase, ctx.step)
    for on, name in swap.unvalidated(conn, pair.new):
        strong_lock(ctx, where, (on,)).do(lambda each, on=on, name=name: swap.validate(each, on, name))  # type: ignore[misc]
        fault("partition.validated")
    for key in keys:

        def attempt(each: Connection[Any], key: dict[str, Any] = key) -> None:
            with ctx.fenced(each):
                own_role(each)
                swap.join_key(each, pair, key)

        strong_lock(ctx, where, (pair.named().as_string(None), key["other"])).do(attempt)
        fault("partition.key")


def _key(step: PartitionStep, table: Relation) -> tuple[str, ...]:
    """The primary key that the partitioned table gets."""
    return tuple(map(_name, step.primary_key)) if step.primary_key is not None else table.primary_key


def _aside(step: PartitionStep, table: str) -> str:
    return _name(step.aside) if step.aside is not None else shape.suffixed(table, "_before")


def _name(column: str) -> str:
    parts = split_name(column)
    assert parts is not None  # the plan's model lets no other name through
    return parts[0]
