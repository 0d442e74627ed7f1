"""How long a plan would take in production, from what it took on the copy's rows and on hardly any.

What takes as long on hardly any rows does not grow with them; all that takes longer on the copy's rows is taken to grow
as they do.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lockgate.engine import runner
from lockgate.engine.clock import Clock, ForwardedClock
from lockgate.engine.context import Progress, Silent
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.errors import Interrupted, LockgateError
from lockgate.ledger import install, steps
from lockgate.rehearse.copy import Copy, Settings, copied
from lockgate.rehearse.passing import passing, sparing
from lockgate.rehearse.tracing import TracedStep

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class Scaled:
    """A step, and what it would take in production.

    :param seconds: the last time that it was applied to the copy.
    :param least_seconds: on tables with one row each; None where that was not tried, or not reached.
    :param factor: how many times more rows the relations have there that it locked; None where that is not known.
    :param production_seconds: an estimate, for a server as fast as the copy's; None where that is not known.
    """

    step: TracedStep
    seconds: float
    least_seconds: float | None
    factor: float | None
    production_seconds: float | None


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """A phase with its gates, steps and checks; like :class:`Scaled`."""

    phase: str
    seconds: float
    least_seconds: float | None
    factor: float | None
    production_seconds: float | None


@dataclass(slots=True)
class Stopwatch:
    """How long each phase took the last time, and each of its steps."""

    plan: str
    clock: Clock
    phases: dict[str, float] = field(default_factory=dict)
    steps: dict[tuple[str, str], float] = field(default_factory=dict)

    @contextlib.contextmanager
    def timing(self, sessions: Sessions, phase: str) -> Iterator[None]:
        """Time a phase, unless the block fails.

        :param sessions: to the copy that it is applied to.
        """
        began = self.clock.monotonic()
        yield
        self.phases[phase] = self.clock.monotonic() - began
        with sessions.open("rehearsal") as conn:
            for row in steps.of_plan(conn, self.plan):
                if row.phase == phase and row.started_at and row.ended_at:
                    self.steps[phase, row.step] = (row.ended_at - row.started_at).total_seconds()


def least(
    loaded: LoadedPlan, sessions: Sessions, wanted: Settings, *, progress: Progress, clock: Clock, stop: threading.Event
) -> Stopwatch:
    """Apply the plan to a copy whose tables have one row each, as far as that goes.

    :raises Interrupted: when ``stop`` was set.
    """
    progress.event("applying the plan to tables with one row each")
    watch = Stopwatch(loaded.plan.plan, clock)
    # What fails here says nothing of the rehearsal, which has come to its end: only the forecast knows less.
    with (
        contextlib.suppress(LockgateError),
        copied(loaded, sessions, replace(wanted, rows=1, share=None), Silent()) as copy,
    ):
        forwarded = ForwardedClock(clock)
        with copy.sessions.open("rehearsal") as conn:
            install(conn)
        for phase in loaded.plan.phases:
            with watch.timing(copy.sessions, phase.id):
                done = runner.apply(
                    loaded,
                    copy.sessions,
                    to=phase.id,
                    progress=Silent(),
                    clock=forwarded,
                    stop=stop,
                    pass_gates=passing(copy, forwarded, []),
                    spares=sparing(loaded.plan, [], generated=True),
                )
            if done.outcome is Outcome.INTERRUPTED:
                break
    if stop.is_set():
        raise Interrupted("The rehearsal was stopped; its copy is gone", hint="Start it again.")
    return watch


def of_steps(traced: list[TracedStep], here: Stopwatch, least: Stopwatch | None, copy: Copy) -> tuple[Scaled, ...]:
    """What each step would take."""
    rows = {table.table: table.rows for table in copy.tables}
    found = []
    for step in traced:
        both = [lock.relation for lock in step.locks if rows.get(lock.relation) and lock.relation in copy.production]
        factor = _factor(both, rows, copy.production)
        name = (step.phase, step.step)
        seconds = here.steps.get(name, step.seconds)
        floor = least.steps.get(name) if least else None
        found.append(Scaled(step, seconds, floor, factor, _grown(seconds, floor, factor)))
    return tuple(found)


def of_phases(here: Stopwatch, least: Stopwatch | None, copy: Copy) -> tuple[PhaseTime, ...]:
    """What each phase would take."""
    rows = {table.table: table.rows for table in copy.tables}
    factor = _factor([name for name in rows if name in copy.production], rows, copy.production)
    found = []
    for phase, seconds in here.phases.items():
        floor = least.phases.get(phase) if least else None
        found.append(PhaseTime(phase, seconds, floor, factor, _grown(seconds, floor, factor)))
    return tuple(found)


def _factor(names: list[str], here: Mapping[str, int], there: Mapping[str, int]) -> float | None:
    count = sum(here[name] for name in names)
    return max(1.0, sum(there[name] for name in names) / count) if count else None


def _grown(seconds: float, floor: float | None, factor: float | None) -> float | None:
    if factor is None:
        return None
    fixed = min(seconds, floor or 0.0)
    return fixed + (seconds - fixed) * factor
