"""What a plan would do, found out without touching anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.checks import REGISTRY as CHECKS
from lockgate.engine import gating, phases, pins
from lockgate.engine.clock import Clock
from lockgate.engine.phase_run import kind_of
from lockgate.engine.phases import PhaseState
from lockgate.errors import LockgateError
from lockgate.gates import REGISTRY as GATES
from lockgate.ledger import home, rehearsals, store
from lockgate.plan.models import Phase
from lockgate.steps import REGISTRY as STEPS

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate: what must hold, and for the phase that is next whether it does.

    :param open: None where it was not asked, because other phases come first.
    """

    asks: str
    open: bool | None
    what: str | None
    hint: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    """A step that is still to be done, or was.

    :param lines: SQL, locks and rows.
    :param seconds: how long it would take, by the newest rehearsal of this plan; None where that does not tell.
    :param problem: why it cannot be run as the database is now; None where it can, or where it is not
        known yet because steps before it make what it needs (then ``later`` says so).
    """

    name: str
    kind: str
    title: str | None
    done: bool
    lines: tuple[str, ...] = ()
    seconds: float | None = None
    later: str | None = None
    problem: LockgateError | None = None


@dataclass(frozen=True, slots=True)
class PhaseView:
    """A phase with all that is in it."""

    name: str
    title: str | None
    state: str
    next: bool
    gates: tuple[GateView, ...]
    steps: tuple[StepView, ...]
    checks: tuple[str, ...]
    undo: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole plan.

    :param changed: that what was done is not what the plan says, if so.
    :param copied: that the ledger was written in another database, if so.
    """

    plan: str
    digest: str
    phases: tuple[PhaseView, ...]
    changed: LockgateError | None
    copied: LockgateError | None = None

    @property
    def pending(self) -> int:
        """How many phases are not done."""
        return sum(phase.state != PhaseState.DONE.value for phase in self.phases)

    @property
    def problems(self) -> tuple[LockgateError, ...]:
        """All that is known to be wrong."""
        steps = (step.problem for phase in self.phases for step in phase.steps)
        return tuple(error for error in (self.copied, self.changed, *steps) if error)


def preview(loaded: LoadedPlan, sessions: Sessions, clock: Clock) -> Preview:
    """Look at every phase; nothing that is done for it stays.

    :raises ConnectionFailed: when the database cannot be used.
    """
    sessions.preflight()
    with sessions.open("plan", plan_sql=True) as conn:
        known, changed = _history(conn, loaded)
        forecast = _forecast(conn, loaded)
        copied = home.copied(conn)
        views = []
        first = True
        clean = True  # whether nothing undone stands before the next step
        for phase in loaded.plan.phases:
            state = known.get(phase.id, PhaseState.PENDING)
            done = state is PhaseState.DONE
            steps = tuple(_steps(conn, loaded, phase, done, clean, forecast))
            is_next = first and not done
            gates = tuple(_gates(loaded, phase, sessions, clock, ask=is_next and not state.begun))
            views.append(_view(phase, state, is_next, gates, steps))
            first, clean = first and done, clean and done
    return Preview(loaded.plan.plan, loaded.digest, tuple(views), changed, copied)


def _history(conn: Connection[Any], loaded: LoadedPlan) -> tuple[dict[str, PhaseState], LockgateError | None]:
    if store.version(conn) is None:
        return {}, None
    known = phases.states(conn, loaded.plan.plan)
    try:
        pins.refuse_changes(conn, loaded)
    except LockgateError as error:
        return known, error
    return known, None


def _forecast(conn: Connection[Any], loaded: LoadedPlan) -> Mapping[tuple[str, str], float]:
    newest = rehearsals.newest(conn, loaded.plan.plan) if store.version(conn) is not None else None
    return newest.seconds if newest is not None and newest.digest == loaded.digest else {}


def _steps(
    conn: Connection[Any],
    loaded: LoadedPlan,
    phase: Phase,
    done: bool,
    clean: bool,
    forecast: Mapping[tuple[str, str], float],
) -> Iterator[StepView]:
    i = loaded.plan.phases.index(phase)
    rows = _done_steps(conn, loaded.plan.plan, phase.id)
    for j, step in enumerate(phase.steps):
        name = loaded.step_id(i, j)
        if done or name in rows:
            yield StepView(name, kind_of(step), step.title, done=True)
            continue
        try:
            # What an analysis needs for a moment, such as a temporary view, goes again.
            with conn.transaction(force_rollback=True):
                STEPS[type(step)].validate(loaded, phase, step)
                lines = tuple(STEPS[type(step)].describe(conn, loaded, phase, step))
        except (LockgateError, psycopg.Error) as error:
            yield _cannot(name, kind_of(step), step.title, error, clean)
        else:
            seconds = forecast.get((phase.id, name))
            yield StepView(name, kind_of(step), step.title, done=False, lines=lines, seconds=seconds)
        clean = False


def _cannot(name: str, kind: str, title: str | None, error: Exception, clean: bool) -> StepView:
    """A step that cannot be described: its fault only if no step before it is still to be done."""
    if not isinstance(error, LockgateError):
        if clean:
            raise error
        return StepView(name, kind, title, done=False, later=str(error).splitlines()[0])
    if clean:
        return StepView(name, kind, title, done=False, problem=error)
    return StepView(name, kind, title, done=False, later=f"{error.where}: {error.what}" if error.where else error.what)


def _done_steps(conn: Connection[Any], plan: str, phase: str) -> set[str]:
    from lockgate.ledger import steps

    if store.version(conn) is None:
        return set()
    return {row.step for row in steps.of_plan(conn, plan) if row.phase == phase and row.state == "done"}


def _gates(loaded: LoadedPlan, phase: Phase, sessions: Sessions, clock: Clock, *, ask: bool) -> Iterator[GateView]:
    results = gating.look(loaded, phase, sessions, clock) if ask and phase.gates else None
    for number, gate in enumerate(phase.gates):
        asks = GATES[type(gate)].describe(gate)
        if results is None:
            yield GateView(asks, None, None, None)
        else:
            found = results[number]
            yield GateView(asks, found.passed, found.what, found.hint)


def _view(
    phase: Phase, state: PhaseState, is_next: bool, gates: tuple[GateView, ...], steps: tuple[StepView, ...]
) -> PhaseView:
    return PhaseView(
        name=phase.id,
        title=phase.title,
        state=state.value,
        next=is_next,
        gates=gates,
        steps=steps,
        checks=tuple(CHECKS[type(check)].describe(check) for check in phase.checks),
        undo=_undo(phase),
    )


def _undo(phase: Phase) -> str:
    kinds = {kind_of(step) for step in phase.steps}
    if phase.undo is None and "sql" in kinds:
        return "none: the phase cannot be taken back, because it says nothing about its SQL"
    if "drop" in kinds:
        return "none once a table is dropped; its rows are in backups"
    count = len(phase.undo or ())
    own = f"{count} piece{'' if count == 1 else 's'} of SQL" if count else ""
    derived = "derived from the mappings" if kinds & {"map", "transform", "partition", "rewrite"} else ""
    copied = "derived from the copy" if "copy" in kinds else ""
    values = "the values of before" if "normalise" in kinds else ""
    migrated = "the down scripts of its migrations" if "migrate" in kinds else ""
    return ", then ".join(part for part in (derived, copied, values, migrated, own) if part) or "nothing has to be done"
