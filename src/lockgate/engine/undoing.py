"""What going back would lose, and whether it can be done at all; looks only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lockgate.engine.phases import PhaseState
from lockgate.errors import RollbackRefused, UsageError
from lockgate.ledger import chain, steps
from lockgate.ledger.steps import StepRow
from lockgate.plan.models import MapStep, Phase, SqlStep, TransformStep, split_name
from lockgate.steps import REGISTRY
from lockgate.steps.base import Loss
from lockgate.steps.running import located
from lockgate.steps.statements import dropped_tables
from lockgate.suggest import nearest

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

BEGINNING = "@start"
"""``to`` this, everything is taken back; no phase can have this name."""


def to_undo(loaded: LoadedPlan, known: dict[str, PhaseState], to: str | None) -> list[Phase]:
    """The phases to take back, the last one first: those after ``to``, or without it the last one that began.

    :raises UsageError: if there is no phase ``to``.
    """
    phases = list(loaded.plan.phases)
    names = [phase.id for phase in phases]
    if to is None:
        return [p for p in reversed(phases) if known.get(p.id, PhaseState.PENDING).begun][:1]
    if to == BEGINNING:
        after = phases
    elif to in names:
        after = phases[names.index(to) + 1 :]
    else:
        close = nearest(to, names)
        raise UsageError(
            f"There is no phase {to}",
            where=f"{loaded.folder}/plan.yaml",
            hint=f"Did you mean {close}?" if close else f"The phases are {', '.join(names)}, and {BEGINNING}.",
        )
    return [phase for phase in reversed(after) if known.get(phase.id, PhaseState.PENDING).begun]


def begun_steps(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> list[tuple[int, StepRow]]:
    """The steps of a phase that may have left something, by number, the last one first."""
    rows = {row.step: row for row in steps.of_plan(conn, loaded.plan.plan) if row.phase == phase.id}
    i = loaded.plan.phases.index(phase)
    found = [(j, rows[name]) for j in range(len(phase.steps)) if (name := loaded.step_id(i, j)) in rows]
    return [(j, row) for j, row in reversed(found) if row.state not in {"pending", "undone"}]


def needs_sql(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> bool:
    """Whether a ``sql`` step of the phase left something: a failed transaction did not."""
    for number, row in begun_steps(conn, loaded, phase):
        step = phase.steps[number]
        if isinstance(step, SqlStep) and (row.state == "done" or step.outside_transaction):
            return True
    return bool(phase.undo) and not any(isinstance(step, SqlStep) for step in phase.steps)


def refuse_without_undo(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> None:
    """:raises RollbackRefused: if a phase has ``sql`` steps and says nothing about how they are taken back."""
    for phase in phases:
        if phase.undo is None and needs_sql(conn, loaded, phase):
            raise RollbackRefused(
                f"Phase {phase.id} cannot be taken back",
                where=loaded.where("phases", loaded.plan.phases.index(phase)),
                why="It has `sql` steps and no `undo`.",
                hint="Write its `undo` into the plan; `undo: []` says that nothing has to be done.",
            )


def losses(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> list[Loss]:
    """What taking these phases back would lose now.

    :param phases: all that are taken back, the last one first.
    """
    found = list(_losses(conn, loaded, phases))
    merged: dict[tuple[str, str], int] = {}
    for loss in found:
        key = (loss.table, loss.why)
        merged[key] = max(merged.get(key, 0), loss.rows)
    return [Loss(table, rows, why) for (table, why), rows in merged.items() if rows]


def accepted(conn: Connection[Any], plan: str, phase: str) -> bool:
    """Whether the undo of this phase, which a kill interrupted, had been told that it may lose rows."""
    entries = chain.entries(conn, plan, kinds=["undo"], phase=phase)
    last = next((e for e in reversed(entries) if e.payload.get("state") == PhaseState.UNDOING.value), None)
    return last is not None and bool(last.payload.get("lose_rows"))


def refuse_losses(losses: Sequence[Loss]) -> None:
    """:raises RollbackRefused: if there are any, listing them."""
    if losses:
        raise RollbackRefused(
            f"Going back would lose {sum(loss.rows for loss in losses)} rows",
            why="; ".join(f"{loss.table}: {loss.rows} rows, {loss.why}" for loss in losses),
            hint="Save them first, or say that they may be lost: `lockgate rollback --lose-rows`.",
        )


def _losses(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> Iterator[Loss]:
    filled: set[str] = set()
    for phase in phases:
        for number, _ in begun_steps(conn, loaded, phase):
            step = phase.steps[number]
            if isinstance(step, MapStep):
                filled.add(_plain(step.into))
            if isinstance(step, TransformStep):
                filled.add(_plain(step.table))
            yield from REGISTRY[type(step)].losses(conn, loaded, phase, step)
    for phase in phases:
        if not needs_sql(conn, loaded, phase):
            continue
        for undo in phase.undo or ():
            for item in located(undo.sql, lambda offset: ""):
                for name in dropped_tables(item.statement):
                    # Of a table that a mapping filled, the mapping knows better which rows would be lost.
                    if _plain(name) not in filled:
                        yield Loss(name.replace('"', ""), _count(conn, name), f"dropped by the undo of {phase.id}")


def _count(conn: Connection[Any], name: str) -> int:
    found = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    if not found or not found[0]:
        return 0
    parts = split_name(name)
    assert parts is not None
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*parts))).fetchone()
    return int(row[0]) if row else 0


def _plain(name: str) -> str:
    return ".".join(split_name(name) or (name,))
