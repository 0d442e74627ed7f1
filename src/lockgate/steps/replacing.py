"""What the steps have in common that put another table in a table's place: it is filled beside it and takes its name.

Such a step is a mapping, and a cutover whose switch swaps the names. Until ``close`` the table of before, which is
called otherwise then, is kept in step: the undo swaps the names back and loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from lockgate.plan.models import MapStep, Phase, ReplacingStep
from lockgate.plan.steps import step_name, way_back_of
from lockgate.plan.values import split_name
from lockgate.replacing import fitness, shape, swap
from lockgate.replacing.fitness import Fault
from lockgate.replacing.swap import Moved, Pair
from lockgate.sql.tree import quote
from lockgate.steps import filling, giveback
from lockgate.steps.base import StepResult, place
from lockgate.steps.handover import Handover
from lockgate.steps.holding import drop_logs, hold_all
from lockgate.steps.keying import alone

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Replacing:
    """Makes the other table, has a mapping fill it, and swaps the names under a short lock."""

    done = ""
    """What is done to the table: ``partitioned``."""
    stored = False
    """Whether the rows of the new table are stored as those of the other."""

    # --- what a kind of step says -----------------------------------------------------------------------------

    def _key(self, step: Any, table: Relation) -> tuple[str, ...]:
        """The columns by which rows are told apart."""
        raise NotImplementedError

    def _look(self, conn: Connection[Any], step: Any, table: Relation) -> Fault | None:
        """The first thing that is in the way; None if nothing is."""
        raise NotImplementedError

    def _make(self, ctx: StepContext, conn: Connection[Any], table: Relation) -> Pair:
        """Make the new table, and note it in the same transaction.

        :raises PlanError: before, if that cannot be.
        """
        raise NotImplementedError

    def _ready(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> Pair:
        """Do what is to be done to the tables between filling the new one and the swap."""
        raise NotImplementedError

    def _finish(self, ctx: StepContext, conn: Connection[Any], pair: Pair, moved: Moved) -> None:
        """Do what is left to do to the new table when it has the name."""
        raise NotImplementedError

    def _result(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> StepResult:
        raise NotImplementedError

    def _lines(self, conn: Connection[Any], step: Any, table: Relation, where: Any) -> list[str]:
        """What becomes of its rows, in lines for people."""
        raise NotImplementedError

    # --- what they have in common -----------------------------------------------------------------------------

    def run(self, ctx: StepContext) -> StepResult:
        """:raises PlanError: before anything is changed, if something on the table cannot be moved."""
        with ctx.sessions.open("replace") as conn:
            found = record.find(conn, ctx.plan, ctx.step_id)
            if found is None or found.state != "over":
                pair = self._pair(ctx, conn)
                fault("replacing.made")
                table = relations.read(conn, pair.old)
                key = self._key(ctx.step, table)
                if not key:  # it had one when the step began
                    self._refuse_faults(ctx, conn, table)
                filled = filling.Runner().run(replace(ctx, step=_forth(ctx, conn, pair, key)))
                pair = self._ready(ctx, conn, pair)
                # A table without statistics, and whose pages nobody knows to be visible, would be read in worse ways.
                alone(ctx, sql.SQL("VACUUM (ANALYZE) {}").format(pair.named_staged()))
                fault("replacing.filled")
                found = _Swap(ctx, conn, pair, key, partial(self._refuse_unlike, ctx)).do()
                ctx.progress.event(f"{ctx.step.table}: {filled.summary}")
            fault("replacing.swapped")
            pair, moved = giveback.known(ctx, conn)
            drop_logs(ctx, conn, found.targets)
            for target in found.back:
                settle(ctx.sessions, target, ctx.clock, ctx.stop, place(ctx.loaded, ctx.phase, ctx.step), ctx.progress)
            self._finish(ctx, conn, pair, moved)
            return self._result(ctx, conn, pair)

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: Any) -> list[str]:
        """What becomes of the rows, and the locks."""
        where = partial(place, loaded, phase, step)
        if _swapped(conn, loaded, step):
            return ["the names are swapped already; the foreign keys are validated"]
        table = self._fit(conn, step, where)
        locked = ["it", *swap.others(conn, table.oid)]
        return [
            *self._lines(conn, step, table, where),
            f"then the names are swapped: ACCESS EXCLUSIVE on {', '.join(locked)} for a moment",
            f"writers wait for {step.hold.total_seconds():g} s at most in one try",
            f"the table of before becomes {table.schema}.{aside(step, table.name)} and is kept in step "
            f"until `close: {step_name(step)}`",
        ]

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Give the name back to the table of before."""
        return giveback.take_back(ctx, lose_rows)

    def _pair(self, ctx: StepContext, conn: Connection[Any]) -> Pair:
        """The two tables; the new one is made if a run before did not."""
        known = steps.get(conn, ctx.step_row.id).detail.get("pair")
        if known:
            return Pair.load(known)
        where = partial(place, ctx.loaded, ctx.phase, ctx.step)
        table = self._fit(conn, ctx.step, where)
        mapped = conn.execute(archive_query("tables.mapped"), {"oid": table.oid}).fetchone()
        if mapped is not None:
            raise PlanError(
                f"{table.label} cannot be {self.done}: mapping {mapped[0]} reads or fills it",
                where=where("table"),
                why="It would go on with the table of before.",
                hint="Cut that over, close its way back, or take it back first.",
            )
        return self._make(ctx, conn, table)

    def _refuse_unlike(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> None:
        """:raises PlanError: if the new table is not what the other one is by now, or cannot take its place."""
        self._refuse_faults(ctx, conn, relations.read(conn, pair.old))
        differs = shape.unlike(conn, pair.old, pair.new, stored=self.stored)
        differs += [f"index {each['name']}" for each in shape.unpaired(conn, pair.old, pair.indexes)]
        there = {each["oid"] for each in shape.rows(conn, "indexes", pair.old)}
        differs += [f"index {each.name}, dropped" for each in pair.indexes if each.old not in there]
        made = {each["oid"]: each for each in shape.rows(conn, "statistics", pair.old)}
        copied = {each.old: each.name for each in pair.statistics}
        differs += [f"statistics {each['name']}" for oid, each in made.items() if oid not in copied]
        differs += [f"statistics {name}, dropped" for oid, name in copied.items() if oid not in made]
        if differs:
            raise PlanError(
                f"{ctx.step.table} was changed since the new table was made",
                where=place(ctx.loaded, ctx.phase, ctx.step, "table"),
                why="One of the two has: " + " | ".join(differs),
                hint="Take this phase back with `lockgate rollback`, and apply it again; nothing was swapped.",
            )

    def _fit(self, conn: Connection[Any], step: Any, where: Any) -> Relation:
        """The table of the step.

        :raises PlanError: if there is none, or something is in the way.
        """
        table = relations.named(conn, step.table, where("table"))
        self._refuse(conn, step, table, where)
        return table

    def _refuse_faults(self, ctx: StepContext, conn: Connection[Any], table: Relation) -> None:
        self._refuse(conn, ctx.step, table, partial(place, ctx.loaded, ctx.phase, ctx.step))

    def _refuse(self, conn: Connection[Any], step: Any, table: Relation, where: Any) -> None:
        fault_ = self._look(conn, step, table)
        fitness.refuse(fault_, table, self.done, where(fault_.key) if fault_ else "")


class _Swap(Handover):
    """Hands over to the new table by the swap of the names.

    :param key: by which rows are told apart.
    :param refuse_unlike: raises if the new table is not what the other one is.
    """

    def __init__(
        self,
        ctx: StepContext,
        conn: Connection[Any],
        pair: Pair,
        key: Sequence[str],
        refuse_unlike: Callable[[Connection[Any], Pair], None],
    ) -> None:
        super().__init__(ctx, conn)
        self._pair = pair
        self._key = key
        self._refuse_unlike = refuse_unlike

    def _scope(self) -> Scope:
        target = install.target_of(self._conn, self._ctx.plan, self._ctx.step_id)
        assert target is not None  # it was filled just now
        return Scope((relations.read(self._conn, self._pair.old),), (group.load(self._conn, target),))

    def _way_back(self) -> list[Definition]:
        back = _back(self._ctx, self._conn, self._pair, self._key, swapped=False)
        return [from_step(back, self._place)]

    def _switch(self, conn: Connection[Any], found: Scope, cutover: Cutover, begun: float) -> Sequence[Relation]:
        ctx, pair, key = self._ctx, self._pair, self._key
        own_role(conn)
        # No applier begins a turn now, which would take its target's row first, and then the table.
        conn.execute(
            "SELECT FROM lockgate.sync_targets WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE",
            ([*cutover.targets, *cutover.back],),
        )
        self._alone_since = ctx.clock.monotonic()
        hold_all(ctx, conn, swap.locked(conn, pair, pair.old, pair.named_staged()), begun)
        self._refuse_unlike(conn, pair)
        forth = _forth(ctx, conn, pair, key, swapped=True)
        back = _back(ctx, conn, pair, key, swapped=True)
        moved = swap.forth(conn, pair)
        fault("replacing.swap")
        for target, mapping in ((cutover.back[0], back), (cutover.targets[0], forth)):
            install.redefine(conn, ctx.plan, target, from_step(mapping, self._place))
        steps.record(conn, ctx.step_row.id, detail={"moved": moved.dump()})
        # While the lock is held: of a partitioned table that is in use it is hard to get, with all its partitions.
        for log in removal.unread_logs(conn, *cutover.targets):
            changelog.silence(conn, log)
        return [relations.read(conn, pair.old)]


def refuse_names(conn: Connection[Any], table: Relation, names: Sequence[str], where: Any) -> None:
    """:raises PlanError: if a name is too long for the server, given twice, or something else has it.

    :param names: of the new table before it has its name, of the table of before afterwards, and others.
    """
    for number, name in enumerate(names):
        if len(name.encode()) > shape.LONGEST:
            raise PlanError(f'"{name}" is too long for a name', where=where("name"), hint="Say a shorter `name`.")
        if name in names[:number]:
            raise PlanError(f'"{name}" would be the name of two tables', where=where("name"))
        if shape.taken(conn, table.schema, name):
            raise PlanError(
                f"{table.schema}.{name} is there already",
                where=where("name" if number > 1 else "aside"),
                hint=f"Rename it, or say {'other names: `name`' if number > 1 else 'another name: `aside`'}.",
            )


def aside(step: ReplacingStep, table: str) -> str:
    """The name of the table of before, afterwards."""
    return unquoted(step.aside) if step.aside is not None else shape.suffixed(table, "_before")


def unquoted(name: str) -> str:
    """A name as the catalog has it."""
    parts = split_name(name)
    assert parts is not None  # the plan's model lets no other name through
    return parts[0]


def _swapped(conn: Connection[Any], loaded: LoadedPlan, step: Any) -> bool:
    """Whether a run that was interrupted had come so far; there need not be a ledger."""
    row = conn.execute("SELECT pg_catalog.to_regclass('lockgate.cutovers') IS NOT NULL").fetchone()
    found = record.find(conn, loaded.plan.plan, step_name(step)) if row and row[0] else None
    return found is not None and found.state == "over"


# --- the mappings ----------------------------------------------------------------------------------------------


def _forth(
    ctx: StepContext, conn: Connection[Any], pair: Pair, key: Sequence[str], *, swapped: bool = False
) -> MapStep:
    """What fills the new table.

    :param swapped: whether the tables have the names that they have afterwards.
    """
    names = (pair.aside, pair.name) if swapped else (pair.name, pair.staged)
    return _mapping(conn, pair, key, ctx.step_id, *names)


def _back(ctx: StepContext, conn: Connection[Any], pair: Pair, key: Sequence[str], *, swapped: bool) -> MapStep:
    """What keeps the table of before in step."""
    names = (pair.name, pair.aside) if swapped else (pair.staged, pair.name)
    return _mapping(conn, pair, key, way_back_of(ctx.step_id), *names)


def _mapping(conn: Connection[Any], pair: Pair, key: Sequence[str], name: str, source: str, target: str) -> MapStep:
    table = relations.read(conn, pair.old)
    columns = ", ".join(f"o.{column.sql}" for column in table.columns if not column.generated)
    read, filled = (f"{quote(pair.schema)}.{quote(each)}" for each in (source, target))
    return MapStep.model_validate(
        {
            "map": name,
            "into": filled,
            "key": tuple(quote(column) for column in key),
            "from": read,
            "select": f"SELECT {columns} FROM {read} AS o",
            # They fire for what the application writes, at the table that has the name, and are off at the other.
            "acknowledge_triggers": tuple(trigger.name for trigger in table.triggers),
        }
    )
