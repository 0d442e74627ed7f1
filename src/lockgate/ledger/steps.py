"""Steps: how far each step of a phase is, and what it needs to know when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import LedgerError
from lockgate.ledger import canonical
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined

StepState = Literal["pending", "running", "done", "failed", "undone"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step's state.

    :param position: statements that a step outside a transaction has behind it.
    :param detail: what the step keeps for itself between runs, JSON values.
    """

    id: int
    plan: str
    phase: str
    step: str
    kind: str
    state: StepState
    position: int
    detail: dict[str, Any]
    started_at: datetime | None
    ended_at: datetime | None


def get_or_create(conn: Connection[Any], plan: str, phase: str, step: str, kind: str) -> StepRow:
    """The row of a step, made as ``pending`` when there is none.

    A step that has not begun, or was undone, takes the new ``kind`` and begins from nothing.

    :raises LedgerError: when it was begun as another kind.
    """
    values = {"plan": plan, "phase": phase, "step": step, "kind": kind}
    with joined(conn), conn.cursor(row_factory=class_row(StepRow)) as cursor:
        cursor.execute(load("steps.create"), values)
        row = cursor.execute(load("steps.find"), values).fetchone()
        if row is not None and row.kind != kind and row.state in {"pending", "undone"}:
            row = cursor.execute(load("steps.change_kind"), {"id": row.id, "kind": kind}).fetchone()
    assert row is not None
    if row.kind != kind:
        raise LedgerError(
            f"The step is {row.state} as a step of kind {row.kind}, and the plan now says {kind}",
            where=f"{plan}/{phase}/{step}",
            hint="Undo the phase first (`lockgate rollback`), or give the new step a name of its own.",
        )
    return row


def find(conn: Connection[Any], plan: str, phase: str, step: str) -> StepRow | None:
    """The row of a step, or None where it was never begun."""
    values = {"plan": plan, "phase": phase, "step": step}
    return conn.cursor(row_factory=class_row(StepRow)).execute(load("steps.find"), values).fetchone()


def get(conn: Connection[Any], step_id: int) -> StepRow:
    """The row with this id.

    :raises LedgerError: when there is none.
    """
    row = conn.cursor(row_factory=class_row(StepRow)).execute(load("steps.get"), {"id": step_id}).fetchone()
    return _there(row, step_id)


def of_plan(conn: Connection[Any], plan: str) -> list[StepRow]:
    """All steps of a plan that were ever begun, in that order."""
    return conn.cursor(row_factory=class_row(StepRow)).execute(load("steps.of_plan"), {"plan": plan}).fetchall()


def set_state(
    conn: Connection[Any],
    step_id: int,
    state: str,
    *,
    position: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> StepRow:
    """Put a step into a state; times are the server's.

    :param detail: keys to add or replace; the others stay.
    :raises LedgerError: for a step or a state that there is not.
    """
    if state not in get_args(StepState):
        raise LedgerError(f"A step cannot be {state!r}", where=f"lockgate.steps {step_id}")
    return _update(conn, step_id, str(state), position, detail)


def record(
    conn: Connection[Any],
    step_id: int,
    *,
    position: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> StepRow:
    """Note how far a step is, leaving its state and times alone.

    :param detail: keys to add or replace; the others stay.
    :raises LedgerError: for a step that there is not.
    """
    return _update(conn, step_id, None, position, detail)


def _update(
    conn: Connection[Any],
    step_id: int,
    state: str | None,
    position: int | None,
    detail: Mapping[str, Any] | None,
) -> StepRow:
    values = {
        "id": step_id,
        "state": state,
        "position": position,
        "detail": None if detail is None else canonical.dumps(canonical.plain(detail, "detail")),
    }
    row = conn.cursor(row_factory=class_row(StepRow)).execute(load("steps.update"), values).fetchone()
    return _there(row, step_id)


def _there(row: StepRow | None, step_id: int) -> StepRow:
    if row is None:
        raise LedgerError(f"There is no step {step_id}", where="lockgate.steps")
    return row
