"""The states of a phase and the ways between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from psycopg import Connection

from lockgate.engine.faults import fault
from lockgate.errors import LedgerError
from lockgate.ledger import chain, lease, phases


class PhaseState(Enum):
    """Where a phase is. ``ways`` are the states that it may go to."""

    PENDING = "pending"
    RUNNING = "running"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"

    def __repr__(self) -> str:
        ways = ", ".join(sorted(state.value for state in TRANSITIONS[self]))
        return f"<{type(self).__name__} {self.value} -> {ways}>"

    @property
    def begun(self) -> bool:
        """Whether anything of the phase may stand in the database."""
        return self not in {PhaseState.PENDING, PhaseState.UNDONE}


TRANSITIONS: Mapping[PhaseState, frozenset[PhaseState]] = {
    PhaseState.PENDING: frozenset({PhaseState.RUNNING}),
    # To itself: a run that resumes it says so in the chain.
    PhaseState.RUNNING: frozenset({PhaseState.RUNNING, PhaseState.CHECKING, PhaseState.FAILED, PhaseState.UNDOING}),
    # Back to running: the plan may have got another step while the checks failed.
    PhaseState.CHECKING: frozenset({PhaseState.RUNNING, PhaseState.DONE, PhaseState.FAILED, PhaseState.UNDOING}),
    PhaseState.FAILED: frozenset({PhaseState.RUNNING, PhaseState.UNDOING}),
    PhaseState.DONE: frozenset({PhaseState.UNDOING}),
    PhaseState.UNDOING: frozenset({PhaseState.UNDOING, PhaseState.UNDONE}),
    PhaseState.UNDONE: frozenset({PhaseState.RUNNING}),
}


def states(conn: Connection[Any], plan: str) -> dict[str, PhaseState]:
    """The phases that the ledger knows, by name; others are pending."""
    return {name: PhaseState(row.state) for name, row in phases.state(conn, plan).items()}


def state(conn: Connection[Any], plan: str, phase: str) -> PhaseState:
    """One phase's state."""
    return states(conn, plan).get(phase, PhaseState.PENDING)


def _made_by(conn: Connection[Any], plan: str, phase: str, to: PhaseState, run_id: int | None) -> bool:
    """Whether it was this run that put the phase into its state."""
    entries = chain.entries(conn, plan, kinds=["phase", "undo"], phase=phase)
    moves = [entry for entry in entries if "from" in entry.payload]
    return bool(moves) and moves[-1].run_id == run_id and moves[-1].payload.get("state") == to.value


def move(
    conn: Connection[Any],
    *,
    plan: str,
    phase: str,
    to: PhaseState,
    epoch: int,
    run_id: int | None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Put a phase into another state and say so in the chain, in one transaction under the lease.

    Done again, because nobody heard that it had been committed, it does nothing.

    :param facts: more for the chain's entry.
    :raises LedgerError: if there is no way from its present state.
    :raises LeaseLost: if another runner took over.
    """
    with conn.transaction():
        lease.assert_held(conn, epoch)
        now = state(conn, plan, phase)
        if now is to and _made_by(conn, plan, phase, to, run_id):
            return
        if to not in TRANSITIONS[now]:
            raise LedgerError(f"A phase that is {now.value} cannot become {to.value}", where=f"{plan}/{phase}")
        phases.set(conn, plan, phase, to.value)
        payload = {"state": to.value, "from": now.value, **(facts or {})}
        chain.append(
            conn,
            kind="undo" if to in {PhaseState.UNDOING, PhaseState.UNDONE} else "phase",
            plan=plan,
            phase=phase,
            payload=payload,
            run_id=run_id,
        )
        fault(f"phase.{to.value}.commit")
    fault(f"phase.{to.value}")
