"""Step ``index``: indexes that are built beside writers, and replace others without a gap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.errors import PlanError
from lockgate.indexing import state
from lockgate.indexing.building import Builder, parts
from lockgate.indexing.notes import Notes
from lockgate.indexing.queries import load
from lockgate.indexing.state import Known
from lockgate.indexing.wanted import Wanted, again, wanted
from lockgate.plan.models import IndexStep, Phase
from lockgate.script import foreseen
from lockgate.sql.ddl import dotted
from lockgate.steps.base import StepResult, place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


class Runner:
    """Builds each index, and drops those that are replaced when all are valid."""

    def validate(self, loaded: LoadedPlan, phase: Phase, step: IndexStep) -> None:
        """:raises PlanError: for what is no index that can be built so."""
        _wanted(loaded, phase, step)

    def run(self, ctx: StepContext) -> StepResult:
        """:raises LockgateError: with the place of the index that could not be built."""
        found = _wanted(ctx.loaded, ctx.phase, ctx.step)
        builder, notes = Builder(ctx), Notes(ctx)
        with ctx.sessions.open("step") as conn:
            replaced = _replaced(ctx, conn, notes)
            names = [builder.build(conn, each) for each in found]
            for label, index in replaced.items():
                if label not in notes.replaced(conn):
                    with ctx.fenced(conn):
                        notes.write(conn, replaced={**notes.replaced(conn), label: [index.definition, index.comment]})
                fault("index.noted")
                builder.drop(conn, index.schema, index.name, place(ctx.loaded, ctx.phase, ctx.step, "replaces"))
            gone = list(notes.replaced(conn))
            evidence = tuple(_size(conn, name) for name in names)
        return StepResult(
            f"{len(names)} index{'' if len(names) == 1 else 'es'} built" + (f"; {len(gone)} replaced" if gone else ""),
            facts={"built": names, "replaced": gone},
            evidence=evidence,
        )

    def describe(self, conn: Connection[Any], loaded: LoadedPlan, phase: Phase, step: IndexStep) -> list[str]:
        """Each statement as it is run, and its locks."""
        lines = []
        for each in _wanted(loaded, phase, step):
            item = each.built()
            lines.append(item.statement.text)
            table = state.look_for(conn, each.table)
            if table is not None and table.partitioned:
                lines.append("  on each partition by itself, then attached; it is valid with the last one")
            else:
                (told,) = foreseen.told(conn, [item])
                lines.extend(f"  {line}" for line in told)
        lines.extend(f"DROP INDEX CONCURRENTLY {name}, when all of these are valid" for name in step.replaces)
        return lines

    def undo(self, ctx: StepContext, lose_rows: bool) -> StepResult:
        """Build again what was replaced, then drop what was built."""
        builder, rebuilder, notes = Builder(ctx), Builder(ctx, again=True), Notes(ctx)
        where = place(ctx.loaded, ctx.phase, ctx.step)
        with ctx.sessions.open("step") as conn:
            replaced = notes.replaced(conn)
            for label, (definition, comment) in replaced.items():
                found = state.find(conn, *parts(label))
                if found is not None and found.valid and found.definition == definition:
                    continue  # a kill came before it was dropped
                rebuilder.build(conn, again(definition, where))
                if comment:
                    rebuilder.comment(label, comment, where)
            ours = builder.ours(conn)
            for schema, name in ours:
                builder.drop(conn, schema, name, where)
            with ctx.fenced(conn):
                notes.clear(conn)
        return StepResult(f"{len(ours)} indexes dropped" + (f"; {len(replaced)} built again" if replaced else ""))


def _wanted(loaded: LoadedPlan, phase: Phase, step: IndexStep) -> list[Wanted]:
    return wanted(step.index, partial(place, loaded, phase, step, "index"))


def _replaced(ctx: StepContext, conn: Connection[Any], notes: Notes) -> dict[str, Known]:
    """The indexes to drop that are still there, by quoted name.

    :raises PlanError: for one that is not there, or that something else than queries needs.
    """
    found = {}
    for number, name in enumerate(ctx.step.replaces):
        where = place(ctx.loaded, ctx.phase, ctx.step, "replaces", number)
        split = parts(name)
        index = state.find(conn, *split)
        if index is None:
            if dotted(split) in notes.replaced(conn):
                continue
            raise PlanError(f"There is no index {name} to replace", where=where)
        why = ""
        if index.constraint:
            why = f"The constraint {index.constraint} rests on it."
        elif index.attached:
            why = "It is a part of the index of a partitioned table."
        elif index.named_by_table:
            why = "It is the replica identity of its table, or the order in which that is clustered."
        if why:
            raise PlanError(f"{name} cannot be dropped by itself", where=where, why=why)
        found[dotted(split)] = index
    return found


def _size(conn: Connection[Any], name: str) -> Evidence:
    query = load("state.size")
    row = conn.execute(query, {"name": name}).fetchone()
    return Evidence(f"index:{name}", query.decode(), {"index": name, "bytes": int(row[0]) if row else 0})
