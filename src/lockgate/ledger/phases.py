"""Phases: how far each phase of a plan is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import LedgerError
from lockgate.ledger.queries import load

PhaseState = Literal["pending", "running", "checking", "done", "failed", "undoing", "undone"]
ENDED = ("done", "failed", "undone")


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """A phase's state.

    :param started_at: when it left ``pending``; kept when it is resumed, new after an undo.
    :param ended_at: when it became done, failed or undone; None in the other states.
    """

    plan: str
    phase: str
    state: PhaseState
    started_at: datetime | None
    ended_at: datetime | None


def state(conn: Connection[Any], plan: str) -> dict[str, PhaseRow]:
    """The phases of a plan that were ever started, by name."""
    rows = conn.cursor(row_factory=class_row(PhaseRow)).execute(load("phases.of_plan"), {"plan": plan})
    return {row.phase: row for row in rows}


def set(conn: Connection[Any], plan: str, phase: str, state: str) -> PhaseRow:
    """Put a phase into a state; times are the server's.

    :raises LedgerError: for a state that there is not.
    """
    if state not in get_args(PhaseState):
        raise LedgerError(f"A phase cannot be {state!r}", where=f"{plan}/{phase}")
    values = {"plan": plan, "phase": phase, "state": str(state), "ended": state in ENDED}
    row = conn.cursor(row_factory=class_row(PhaseRow)).execute(load("phases.set"), values).fetchone()
    assert row is not None
    return row
