"""The rehearsal: each phase is applied, taken back, compared, applied again and compared again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lockgate.catalog import document
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.engine import runner
from lockgate.engine.clock import Clock, ForwardedClock
from lockgate.engine.context import Progress
from lockgate.engine.run import Outcome
from lockgate.engine.session import Sessions
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import Interrupted, LockgateError, RollbackRefused, UsageError
from lockgate.ledger import install, rehearsals
from lockgate.plan.models import CopyStep, Phase
from lockgate.rehearse import forecasting
from lockgate.rehearse.copy import Copy, Settings, copied
from lockgate.rehearse.filling import Filled
from lockgate.rehearse.forecasting import PhaseTime, Scaled, Stopwatch
from lockgate.rehearse.passing import CheckSpared, GatePassed, passing, sparing
from lockgate.rehearse.tracing import Trace, TracedSessions
from lockgate.rehearse.traffic import Traffic
from lockgate.steps.discarding import discarded

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


_FEWEST = 100
"""Rows of a chunk that a plan may ask for at least."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the plan did not get further on the copy; the four parts of an error."""

    phase: str
    doing: str
    what: str
    where: str | None
    why: str | None
    do: str | None


@dataclass(frozen=True, slots=True)
class Undo:
    """What came of taking a phase back.

    :param undone: whether it could be.
    :param why: why not.
    :param left: in what the schema afterwards was not what it was before the phase.
    :param again: in what it was not what the phase had made of it, when it was applied once more.
    """

    phase: str
    undone: bool
    why: str | None = None
    left: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal has shown.

    :param schema_digest: of the source's schema as it was copied.
    """

    plan: str
    plan_digest: str
    schema_digest: str
    server: str
    tables: tuple[Filled, ...]
    remarks: tuple[str, ...]
    gates: tuple[GatePassed, ...]
    checks_spared: tuple[CheckSpared, ...]
    steps: tuple[Scaled, ...]
    phases: tuple[PhaseTime, ...]
    undone: tuple[Undo, ...]
    samples: int
    failure: Failure | None

    @property
    def good(self) -> bool:
        """Whether the plan came to its end, and each undo that there is restored what was before."""
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """What must be mended, a line each."""
        failed = self.failure
        said = [f"phase {failed.phase} ({failed.doing}): {failed.what}"] if failed else []
        for undo in self.undone:
            said += [f"after the undo of {undo.phase}: {line}" for line in undo.left]
            said += [f"{undo.phase} applied again: {line}" for line in undo.again]
        return tuple(said)

    @property
    def production_seconds(self) -> float | None:
        """How long all phases would take in production; None where that is not known of one."""
        known = [each.production_seconds for each in self.phases if each.production_seconds is not None]
        return sum(known) if len(known) == len(self.phases) else None

    @property
    def forecast(self) -> dict[tuple[str, str], float]:
        """Phase and step -> how many seconds the step would take in production, where that can be told."""
        return {
            (each.step.phase, each.step.step): each.production_seconds
            for each in self.steps
            if each.production_seconds is not None
        }

    def to_json(self) -> Mapping[str, Any]:
        """As the report in JSON has it; steps without the nesting."""
        said = asdict(self)
        said["good"] = self.good
        said["production_seconds"] = self.production_seconds
        said["steps"] = [
            {**one["step"], **{key: value for key, value in one.items() if key != "step"}} for one in said["steps"]
        ]
        return said


def rehearse(
    loaded: LoadedPlan,
    sessions: Sessions,
    wanted: Settings,
    *,
    progress: Progress,
    clock: Clock,
    stop: threading.Event,
    record: bool = False,
) -> Rehearsed:
    """Run the plan on a copy of the database, which is only read; the copy is gone afterwards.

    :param record: whether the ledger of the database is to say what came of it, for the gate ``rehearsed``.
    :raises UsageError: for a plan with ``copy`` steps, or one that has begun.
    :raises LockgateError: if there can be no copy. What fails on the copy is in the result.
    :raises Interrupted: when ``stop`` was set.
    """
    _refuse_copies(loaded)
    loaded = _in_proportion(loaded, None if wanted.whole else wanted.share)
    with copied(loaded, sessions, wanted, progress) as copy:
        forwarded = ForwardedClock(clock)
        ours = TracedSessions(copy.sessions.dsn, loaded.plan.settings, forwarded)
        with copy.sessions.open("rehearsal") as conn:
            install(conn)

        def least() -> Stopwatch:
            return forecasting.least(loaded, sessions, wanted, progress=progress, clock=clock, stop=stop)

        rehearsal = _Rehearsal(loaded, copy, ours, forwarded, progress, stop, generated=not wanted.whole)
        found = rehearsal.run(None if wanted.whole else least)
        schema = copy.schema
    if record:
        _record(sessions, found, schema)
    return found


def _in_proportion(loaded: LoadedPlan, share: float | None) -> LoadedPlan:
    """The plan with chunks as small as the copy is, so that there are as many of them as in production.

    What reads a whole table for each chunk takes the square of the rows: with one large chunk nobody would see it.
    """
    if share is None:
        return loaded
    settings = loaded.plan.settings
    smaller = settings.model_copy(
        update={
            "chunk_rows": max(_FEWEST, round(settings.chunk_rows * share)),
            "chunk_time": settings.chunk_time * share,
        }
    )
    return replace(loaded, plan=loaded.plan.model_copy(update={"settings": smaller}))


def _record(sessions: Sessions, found: Rehearsed, schema: Document) -> None:
    with sessions.open("rehearsal") as conn:
        install(conn)
        rehearsals.keep(
            conn,
            found.plan,
            digest=found.plan_digest,
            fingerprint=schema.digest,
            schema=schema.to_json(),
            server=found.server,
            faults=found.faults,
            seconds=found.forecast,
        )


def _refuse_copies(loaded: LoadedPlan) -> None:
    """A copy step's other database is the real one, and taking the step back may write to it."""
    for i, phase in enumerate(loaded.plan.phases):
        for j, step in enumerate(phase.steps):
            if isinstance(step, CopyStep):
                raise UsageError(
                    f"Phase {phase.id} copies from another database, so the plan cannot be rehearsed",
                    where=loaded.where("phases", i, "steps", j),
                    why="That database would be the real one: its rows would be read, and the way back writes to it.",
                    hint="Rehearse a plan without this step, or try it between two databases for tests.",
                )


class _Rehearsal:
    def __init__(
        self,
        loaded: LoadedPlan,
        copy: Copy,
        sessions: TracedSessions,
        clock: ForwardedClock,
        progress: Progress,
        stop: threading.Event,
        *,
        generated: bool,
    ) -> None:
        self._loaded, self._copy, self._sessions = loaded, copy, sessions
        self._clock, self._progress, self._stop = clock, progress, stop
        self._gates: list[GatePassed] = []
        self._pass = passing(copy, clock, self._gates)
        self._spared: list[CheckSpared] = []
        self._spares = sparing(loaded.plan, self._spared, generated=generated)
        self._trace = Trace(copy.sessions, loaded.plan.plan, clock, progress)
        self._traffic = Traffic(copy.sessions, copy.shapes, clock)
        self._watch = Stopwatch(loaded.plan.plan, clock)
        self._undone: list[Undo] = []

    def run(self, least: Callable[[], Stopwatch] | None) -> Rehearsed:
        """All of it.

        :param least: times the plan on hardly any rows; None where the copy has all rows there are.
        """
        failure: Failure | None = None
        before, left = self._schema(), BEGINNING
        for phase in self._loaded.plan.phases:
            doing = "apply"
            try:
                self._apply(phase, traced=True)
                made = self._schema()
                doing = "undo"
                undo = self._undo(phase, left, before)
                if undo.undone:
                    doing = "apply again"
                    self._apply(phase, traced=False)
                    undo = Undo(phase.id, True, left=undo.left, again=_lines(made, self._schema()))
                self._undone.append(undo)
            except Interrupted:
                raise
            except LockgateError as error:
                failure = Failure(phase.id, doing, error.what, error.where, error.why, error.hint)
                break
            before, left = made, phase.id
        floor = least() if least is not None and failure is None else None
        return Rehearsed(
            plan=self._loaded.plan.plan,
            plan_digest=self._loaded.digest,
            schema_digest=self._copy.schema.digest,
            server=self._copy.server,
            tables=self._copy.tables,
            remarks=(*self._copy.remarks, *self._traffic.left_out),
            gates=tuple(self._gates),
            checks_spared=tuple(self._spared),
            steps=forecasting.of_steps(self._trace.steps, self._watch, floor, self._copy),
            phases=forecasting.of_phases(self._watch, floor, self._copy),
            undone=tuple(self._undone),
            samples=self._trace.samples,
            failure=failure,
        )

    def _apply(self, phase: Phase, *, traced: bool) -> None:
        def apply(progress: Progress) -> None:
            result = runner.apply(
                self._loaded,
                self._sessions,
                to=phase.id,
                progress=progress,
                clock=self._clock,
                stop=self._stop,
                pass_gates=self._pass,
                spares=self._spares,
            )
            if result.outcome is Outcome.INTERRUPTED:
                raise Interrupted("The rehearsal was stopped; its copy is gone", hint="Start it again.")

        if not traced:
            with self._watch.timing(self._copy.sessions, phase.id):
                apply(self._progress)
            return
        self._sessions.trace = self._trace
        try:
            # Traffic and the looks at locks take their time; that of a phase which is applied again counts.
            with (
                self._trace.watching(),
                self._traffic.flowing(self._trace),
                self._watch.timing(self._copy.sessions, phase.id),
            ):
                apply(self._trace)
        finally:
            self._sessions.trace = None

    def _undo(self, phase: Phase, to: str, before: Document) -> Undo:
        """Nobody has written to the copy since, so no row is lost that the application has written."""
        try:
            result = runner.rollback(
                self._loaded, self._sessions, to=to, progress=self._progress, clock=self._clock, stop=self._stop
            )
        except RollbackRefused as error:
            return Undo(phase.id, False, why=" ".join(filter(None, (f"{error.what}.", error.why))))
        if result.outcome is Outcome.INTERRUPTED:
            raise Interrupted("The rehearsal was stopped; its copy is gone", hint="Start it again.")
        return Undo(phase.id, True, left=_lines(before, self._schema(), discarded(self._loaded, phase)))

    def _schema(self) -> Document:
        with self._copy.sessions.open("rehearsal") as conn:
            return document.read(conn, passing=False)


def _lines(expected: Document, found: Document, gone: Collection[str] = ()) -> tuple[str, ...]:
    """:param gone: tables that are not to be there any more, in SQL."""
    told = [one for one in differences(expected, found) if not one.note]
    return tuple(str(one) for one in told if not (one.kind == "table" and one.name in gone))
