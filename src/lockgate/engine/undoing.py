"""What is to be taken back, and whether it can be at all; looks only."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.archive import holds
from lockgate.engine.phases import PhaseState
from lockgate.errors import RollbackRefused, UsageError
from lockgate.ledger import chain, dropped, steps
from lockgate.ledger.dropped import DroppedRow
from lockgate.ledger.steps import StepRow
from lockgate.migrating import planned
from lockgate.plan.models import MigrateStep, Phase, SqlStep
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
    """Whether the phase's own undo has to run: a ``sql`` step left something, which a failed transaction did not.

    :param conn: with the database's own search_path, by which other tools' histories are found.
    """
    if phase.undo is not None and _without_down(conn, loaded, phase):
        return True
    for number, row in begun_steps(conn, loaded, phase):
        step = phase.steps[number]
        if isinstance(step, SqlStep) and (row.state == "done" or step.outside_transaction):
            return True
    return bool(phase.undo) and not any(isinstance(step, SqlStep | MigrateStep) for step in phase.steps)


def refuse_without_undo(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> None:
    """:raises RollbackRefused: if a phase has ``sql`` steps and says nothing about how they are taken back."""
    for phase in phases:
        if phase.undo is not None:
            continue
        why = "It has `sql` steps and no `undo`." if needs_sql(conn, loaded, phase) else ""
        if lacking := _without_down(conn, loaded, phase):
            why = f"It has no `undo`, and these migrations have no down script: {', '.join(lacking)}."
        if why:
            raise RollbackRefused(
                f"Phase {phase.id} cannot be taken back",
                where=loaded.where("phases", loaded.plan.phases.index(phase)),
                why=why,
                hint="Write its `undo` into the plan; `undo: []` says that nothing has to be done.",
            )


def _without_down(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> list[str]:
    return [migration.name for migration in planned.applied(conn, loaded, phase) if not migration.reversible]


def refuse_held(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> None:
    """:raises RollbackRefused: if a phase has archived tables that are under legal hold, and stay where they are."""
    places = {phase.id: loaded.where("phases", loaded.plan.phases.index(phase)) for phase in phases}
    held = [hold for hold in holds.stand(conn, plan=loaded.plan.plan) if hold.phase in places]
    if held:
        raise RollbackRefused(
            f"Phase {held[0].phase} cannot be taken back: {holds.words(held)}",
            where=places[str(held[0].phase)],
            why="What is held stays in the archive, where nobody can write to it.",
            hint=holds.RELEASE,
        )


def refuse_dropped(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> None:
    """:raises RollbackRefused: if a phase has dropped tables for good; names them, and the backups that hold them."""
    names = {phase.id: phase for phase in phases}
    gone = [row for row in dropped.of_plan(conn, loaded.plan.plan) if row.phase in names]
    if not gone:
        return
    phase = names[gone[0].phase]
    raise RollbackRefused(
        f"Phase {phase.id} cannot be taken back: it dropped {len(gone)} table{'' if len(gone) == 1 else 's'} for good",
        where=loaded.where("phases", loaded.plan.phases.index(phase)),
        why="; ".join(f"{row.label} on {row.dropped_at:%Y-%m-%d %H:%M:%S} UTC, in {_backups(row)}" for row in gone),
        hint="Nothing was taken back. The rows come back from the backup of the archive: "
        + "; ".join(f"`{_restore(row)}`" for row in gone)
        + ". What is wrong with later phases is mended by a further phase.",
    )


def _backups(row: DroppedRow) -> str:
    return " and ".join(
        f"backup {one['id']}{' of the archive alone' if one['archive_only'] else ''} ({one['folder']} on {one['host']})"
        for one in row.backups
    )


def _restore(row: DroppedRow) -> str:
    folder = next(str(one["folder"]) for one in row.backups if one["archive_only"])
    return shlex.join(["lockgate", "restore", folder, "--table", row.archived])


def accepted(conn: Connection[Any], plan: str, phase: str) -> bool:
    """Whether the undo of this phase, which a kill interrupted, had been told that it may lose rows."""
    entries = chain.entries(conn, plan, kinds=["undo"], phase=phase)
    last = next((e for e in reversed(entries) if e.payload.get("state") == PhaseState.UNDOING.value), None)
    return last is not None and bool(last.payload.get("lose_rows"))
