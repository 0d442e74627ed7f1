"""Step ``rewrite``: a fresh table is filled beside a bloated one, kept in step, and takes its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection, errors, sql

from lockgate.catalog import relations
from lockgate.catalog.dependents import dependents
from lockgate.catalog.relations import Relation
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.settling import settle
from lockgate.errors import DatabaseError
from lockgate.indexing.building import Builder
from lockgate.indexing.wanted import Wanted, again
from lockgate.ledger import steps
from lockgate.mapping import install
from lockgate.plan.models import Phase, RewriteStep
from lockgate.replacing import copying, fitness, room, shape
from lockgate.replacing.fitness import Fault
from lockgate.replacing.swap import Moved, Pair
from lockgate.safety.database import amount
from lockgate.script.running import strong_lock
from lockgate.steps.base import StepResult, place
from lockgate.steps.keying import alone, validate_keys
from lockgate.steps.replacing import Replacing, aside, refuse_names

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

# How often an index is built anew in which a value stood twice for as long as it took a row to arrive.
_TRIES = 5
# The share of a table under which its space is not worth the work.
_LITTLE = 0.1
_ALL = "publishes all tables"


class Runner(Replacing):
    """Puts a fresh table in a bloated one's place."""

    done = "rewritten"
    stored = True

    def validate(self, loaded: LoadedPlan, phase: Phase, step: RewriteStep) -> None:
        """The database decides; nothing can be refused before."""

    def _key(self, step: RewriteStep, table: Relation) -> tuple[str, ...]:
        """The primary key, or else another one; empty if rows cannot be told apart."""
        found = sorted(
            (each for each in table.indexes if each.identifies(each.columns)), key=lambda i: not i.is_primary
        )
        for each in found:
            columns = [table.column(name) for name in each.columns]
            if each.columns and all(column and column.not_null and column.deterministic for column in columns):
                return each.columns
        return ()

    def _look(self, conn: Connection[Any], step: RewriteStep, table: Relation) -> Fault | None:
        return next(self._faults(conn, table, self._key(step, table)), None)

    def _faults(self, conn: Connection[Any], table: Relation, key: tuple[str, ...]) -> Iterator[Fault]:
        yield from fitness.of_kind(conn, table)
        if not key:
            what = "it has no primary key, and no other key that is NOT NULL and checked at once"
            yield Fault("table", what, "Its rows could not be told apart.", "Give it one in an earlier phase.")
        yield from fitness.of_identity(table, key)
        yield from fitness.of_constraints(conn, table)
        yield from fitness.of_foreign_keys(conn, table)
        yield from fitness.of_publications(conn, table)
        yield from fitness.of_others(conn, table, published=True)

    def _make(self, ctx: StepContext, conn: Connection[Any], table: Relation) -> Pair:
        where = partial(place, ctx.loaded, ctx.phase, ctx.step)
        staged, before = _staged(table), aside(ctx.step, table.name)
        refuse_names(conn, table, [staged, before], where)
        _refuse_unwritten(conn, table, where("table"))
        with ctx.fenced(conn):
            new, indexes, statistics = copying.make(conn, table, staged, self._key(ctx.step, table))
            pair = Pair(table.oid, new, table.schema, table.name, staged, before, indexes, statistics)
            note = {"pair": pair.dump(), "moved": None, "before": room.sizes(conn, table.oid)}
            steps.record(conn, ctx.step_row.id, detail=note)
            fault("replacing.make")
        ctx.progress.event(f"{table.label}: a fresh table is made")
        return pair

    def _ready(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> Pair:
        """Build the indexes; first the space of what was changed while rows were copied is made free to use again."""
        alone(ctx, sql.SQL("VACUUM {}").format(pair.named_staged()))
        key = set(self._key(ctx.step, relations.read(conn, pair.old)))
        missing = shape.unpaired(conn, pair.old, pair.indexes)
        where = place(ctx.loaded, ctx.phase, ctx.step, "table")
        builder = Builder(ctx)
        for each in sorted(missing, key=lambda each: not _is_key(each, key)):
            _build(ctx, conn, builder, _wanted(pair.schema, pair.staged, each, where))
            if _is_key(each, key):
                builder.drop(conn, pair.schema, copying.filling_key(pair.old), where)
        fault("rewrite.built")

        def attempt(on: Connection[Any]) -> None:
            with ctx.fenced(on):
                now = Pair.load(steps.get(on, ctx.step_row.id).detail["pair"])
                built = {each["oid"] for each in missing}  # one that somebody has made since is noticed at the swap
                left = [each for each in shape.unpaired(on, now.old, now.indexes) if each["oid"] in built]
                made = copying.attach(on, now.schema, now.named_staged(), left)
                steps.record(on, ctx.step_row.id, detail={"pair": replace(now, indexes=(*now.indexes, *made)).dump()})
                fault("rewrite.attach")

        strong_lock(ctx, where, (pair.named_staged().as_string(None),)).do(attempt)
        fault("rewrite.attached")
        return Pair.load(steps.get(conn, ctx.step_row.id).detail["pair"])

    def _finish(self, ctx: StepContext, conn: Connection[Any], pair: Pair, moved: Moved) -> None:
        validate_keys(ctx, conn, pair.new, "replacing.validated")

    def _result(self, ctx: StepContext, conn: Connection[Any], pair: Pair) -> StepResult:
        before: dict[str, int] = steps.get(conn, ctx.step_row.id).detail["before"]
        after = room.sizes(conn, pair.new)
        query = room.SIZES.decode()
        label = f"{pair.schema}.{pair.aside}"
        return StepResult(
            f"{ctx.step.table} took {amount(before['total'])} and takes {amount(after['total'])}; "
            f"the table of before is {label}, until `close: {ctx.step_id}` drops it",
            facts={"bytes_before": before, "bytes_after": after, "aside": label},
            evidence=(
                Evidence(f"bytes_before:{ctx.step_id}", query, before),
                Evidence(f"bytes_after:{ctx.step_id}", query, after),
            ),
        )

    def _lines(self, conn: Connection[Any], step: RewriteStep, table: Relation, where: Any) -> list[str]:
        key = self._key(step, table)
        _refuse_unwritten(conn, table, where("table"))
        now, then = room.Room.of(room.sizes(conn, table.oid)), room.anew(conn, table, key)
        back = max(0, now.total - then.room.total)
        lines = [
            f"{table.label}, about {max(0, round(table.estimated_rows))} rows, is copied into a fresh table, "
            "and kept in step: SHARE ROW EXCLUSIVE to log it",
            "the indexes of the fresh table are built when the rows are there",
            f"it takes {now} now; by a sample of its rows a fresh one takes {then.room}",
            f"disk: about {amount(then.room.total + then.key)} more at the peak, as much WAL, and the change logs; "
            f"`close: {step.rewrite}` gives {amount(now.total)} back, which is {amount(back)} less than there is now",
        ]
        if now.total and back < now.total * _LITTLE:
            lines.append(f"WARNING: there is little to give back: {amount(back)} of {amount(now.total)}")
        everything = [one.name for one in dependents(conn, [table.oid], texts=False).found if one.how.startswith(_ALL)]
        lines += [
            f"WARNING: publication {name} publishes the copied rows, too, as a table of its own" for name in everything
        ]
        return lines


def _staged(table: Relation) -> str:
    return shape.suffixed(table.name, "_rewritten")


def _refuse_unwritten(conn: Connection[Any], table: Relation, where: str) -> None:
    """:raises PlanError: if an index is one whose definition cannot be written back exactly."""
    for each in shape.unpaired(conn, table.oid, ()):
        _wanted(table.schema, _staged(table), each, where).built()


def _is_key(index: dict[str, Any], key: set[str]) -> bool:
    return bool(index["is_unique"] and index["is_plain"] and set(index["columns"]) == key)


def _wanted(schema: str, staged: str, index: dict[str, Any], where: str) -> Wanted:
    """The index of the fresh table that takes the place of one of the other."""
    return again(copying.built(schema, staged, index), where, index["space"])


def _build(ctx: StepContext, conn: Connection[Any], builder: Builder, wanted: Wanted) -> None:
    """Build an index; anew, if a row that has a value no more arrives after the one that has got it."""
    target = install.target_of(conn, ctx.plan, ctx.step_id)
    assert target is not None  # the rows are there
    for left in reversed(range(_TRIES)):
        try:
            builder.build(conn, wanted)
        except DatabaseError as error:
            if not left or not isinstance(error.__cause__, errors.UniqueViolation):
                raise
            settle(ctx.sessions, target, ctx.clock, ctx.stop, wanted.where, ctx.progress)
        else:
            return
