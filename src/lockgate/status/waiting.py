"""Why a plan does not go on at this moment, and what releases it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.engine import gating, health, locks
from lockgate.engine.clock import Clock
from lockgate.errors import LockgateError
from lockgate.gates.base import GateResult, Refusal
from lockgate.ledger import chain
from lockgate.status.model import Control, Lease, Phase, Waiting

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_ITSELF = "Nothing: it goes on by itself"
_APPLY = "`lockgate apply`"


def reasons(
    conn: Connection[Any],
    plan: str,
    phases: Sequence[Phase],
    lease: Lease | None,
    control: Control,
    loaded: LoadedPlan | None,
    sessions: Sessions,
    clock: Clock,
) -> Iterator[Waiting]:
    """All reasons, the one that people can do something about first; none when it works, or all is done."""
    unfinished = next((phase for phase in phases if phase.state != "done"), None)
    if unfinished is None:
        return
    if control.paused:
        yield Waiting(f"paused by {control.updated_by}: {control.reason or 'no reason was given'}", "`lockgate resume`")
    if lease and lease.live:
        yield from _of_a_runner(conn, sessions)
        return
    if unfinished.state == "failed":
        why = _failure(conn, plan, unfinished.name)
        yield Waiting(f"phase {unfinished.name} failed{why}", "Mend the cause, then `lockgate apply`")
    elif unfinished.state == "undoing":
        yield Waiting(f"phase {unfinished.name} is half taken back", "`lockgate rollback`")
    elif unfinished.state in {"running", "checking"}:
        yield Waiting(f"phase {unfinished.name} is {unfinished.state}, and no runner is at work", _APPLY)
    else:
        yield _at_the_gates(unfinished, loaded, sessions, clock)


def _of_a_runner(conn: Connection[Any], sessions: Sessions) -> Iterator[Waiting]:
    """What a runner that is alive waits for: a lock, or a signal that holds."""
    waiting = conn.execute(
        "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()"
        " AND application_name LIKE 'lockgate:%' AND wait_event_type = 'Lock'"
    ).fetchall()
    for (pid,) in waiting:
        for blocker in locks.blockers(conn, pid):
            # Our own sessions wait for each other for moments only.
            if not blocker.application.startswith("lockgate:"):
                yield Waiting(f"a lock that {blocker} holds", f"{_ITSELF}, or: {blocker.release};")
    held = health.Health(health.examine(conn, sessions.settings, health.looks(sessions.settings)))
    if held.reason:
        yield Waiting(held.reason, _ITSELF)


def _failure(conn: Connection[Any], plan: str, phase: str) -> str:
    entries = chain.entries(conn, plan, kinds=["phase"], phase=phase)
    said = next((entry.payload for entry in reversed(entries) if entry.payload.get("state") == "failed"), {})
    parts = [str(said[name]) for name in ("where", "error", "why") if said.get(name)]
    return f": {': '.join(parts)}" if parts else ""


def _at_the_gates(phase: Phase, loaded: LoadedPlan | None, sessions: Sessions, clock: Clock) -> Waiting:
    """A phase that has not begun: its gates are asked, where the plan is at hand."""
    nobody = Waiting(f"phase {phase.name} has not begun, and no runner is at work", _APPLY)
    if loaded is None:
        return nobody
    model = next(part for part in loaded.plan.phases if part.id == phase.name)
    try:
        closed = [result for result in gating.look(loaded, model, sessions, clock) if not result.passed]
    except LockgateError as error:
        return Waiting(f"a gate of phase {phase.name} cannot be asked: {error.what}", error.hint or "`lockgate plan`")
    if not closed:
        return nobody
    first = min(closed, key=_rank)
    # A gate names the phase itself where its words would not make sense without.
    named = first.what if first.what.startswith("phase ") else f"phase {phase.name}: {first.what}"
    return Waiting(named, first.hint or _APPLY)


def _rank(result: GateResult) -> int:
    return list(Refusal).index(result.refusal) if result.refusal else len(Refusal)
