"""One run of a plan's standing checks: which are due, what they find, and which alerts stand afterwards."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.checks import REGISTRY
from lockgate.engine import phases, pins
from lockgate.engine.phases import PhaseState
from lockgate.engine.run import user
from lockgate.errors import LeaseHeld, UsageError
from lockgate.ledger import chain, require, require_home, standing
from lockgate.ledger.standing import CheckRow, Outcome, Result, Trend
from lockgate.plan.models import Alert, ReconcileCheck, Standing, StandingCheck, mappings_of
from lockgate.standing.making import TRIES, Made, make
from lockgate.suggest import did_you_mean

if TYPE_CHECKING:
    from lockgate.engine.clock import Clock
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_PATIENCE = timedelta(seconds=10)  # for a row of the ledger that a runner writes at this moment
_SLACK = timedelta(minutes=1)  # beyond the time of a check, until a run that says nothing is taken for dead
_JITTER = 0.9  # cron is never punctual: of the time between two runs, so much will do


@dataclass(slots=True)
class Run:
    """What a run did.

    :param trends: every check with its latest results, the newest first, as the ledger has them afterwards.
    :param made: the checks that this run made, by name.
    :param idle: why the others were not made, by name.
    :param busy: another run made them at this moment, and this one did nothing.
    :param database: where they were made, and ``at`` when, by its clock.
    """

    database: str
    at: datetime
    trends: list[Trend] = field(default_factory=list)
    made: dict[str, Made] = field(default_factory=dict)
    idle: dict[str, str] = field(default_factory=dict)
    busy: LeaseHeld | None = None

    @property
    def unknown(self) -> list[str]:
        """Those that could not be made when they were to be made last."""
        return [trend.check.name for trend in self.trends if trend.unknown]


def run(
    loaded: LoadedPlan,
    sessions: Sessions,
    *,
    only: Collection[str] = (),
    last: int,
    clock: Clock,
    progress: Progress,
    stop: threading.Event,
) -> Run:
    """Make the checks that are due, one after the other, and put what they find into the ledger.

    :param only: names of those that are made, due or not; empty: all that are due.
    :param last: how many results of each are told.
    :raises UsageError: when the plan has no such check, or none at all.
    :raises LedgerError: when there is no ledger, or it was copied from another database.
    :raises LeaseLost: when this run slept so long that another one has taken over.
    """
    wanted = declared(loaded)
    names = [item.id for item in wanted.checks]
    if missing := next((name for name in only if name not in names), None):
        raise UsageError(
            f"There is no standing check {missing}{did_you_mean(missing, names)}", where=f"{loaded.folder}/plan.yaml"
        )
    patient = sessions.with_settings(loaded.plan.settings.model_copy(update={"lock_timeout": _PATIENCE}), clock)
    with patient.open("standing-ledger") as conn:
        require_home(conn)
        return _Run(loaded, sessions.with_settings(loaded.plan.settings, clock), conn, clock, progress, stop).do(
            wanted, only, last
        )


def look(loaded: LoadedPlan, sessions: Sessions, *, last: int, clock: Clock) -> Run:
    """How the checks stand by the ledger; makes none, and writes nothing.

    :raises UsageError: when the plan has none.
    :raises LedgerError: when there is no ledger.
    """
    declared(loaded)
    with sessions.open("standing-ledger") as conn:
        require(conn)
        return Run(conn.info.dbname, clock.of(conn), standing.trends(conn, loaded.plan.plan, last))


def declared(loaded: LoadedPlan) -> Standing:
    """The plan's standing checks.

    :raises UsageError: when it has none.
    """
    if loaded.plan.standing is None:
        raise UsageError(
            "The plan has no standing checks",
            where=f"{loaded.folder}/plan.yaml",
            hint="Write `standing: {checks: [...]}` beside `phases:`; docs/standing.md shows how.",
        )
    return loaded.plan.standing


def is_alert(judged: Sequence[Outcome], alert: Alert) -> bool:
    """Whether results, the newest first and without unknown ones, are an alert."""
    return list(judged[: alert.window]).count("fails") >= alert.fails


def idle_for(item: StandingCheck, of: Mapping[str, str], states: Mapping[str, PhaseState]) -> str | None:
    """Why a check need not hold now, in words; None if it must.

    :param of: name of a mapping -> the phase that fills its table.
    """
    first = item.from_
    if first is None and isinstance(item.check, ReconcileCheck):
        first = of.get(item.check.reconcile)
    if first is not None and states.get(first) is not PhaseState.DONE:
        return f"holds from phase {first} on, which is not done"
    if item.until is not None and states.get(item.until, PhaseState.PENDING).begun:
        return f"held until phase {item.until}, which has begun"
    return None


def is_due(item: StandingCheck, last: Result | None, now: datetime) -> bool:
    """Whether it is time for a check; for one that could not be made it is, and where the clock was set back."""
    if item.every is None or last is None or last.outcome == "unknown":
        return True
    return not last.at <= now < last.at + item.every * _JITTER


@dataclass(frozen=True, slots=True)
class _Run:
    loaded: LoadedPlan
    sessions: Sessions
    conn: Connection[Any]
    clock: Clock
    progress: Progress
    stop: threading.Event

    @property
    def plan(self) -> str:
        return self.loaded.plan.plan

    def do(self, wanted: Standing, only: Collection[str], last: int) -> Run:
        found = Run(self.conn.info.dbname, self._now())
        holder = f"by {user()} on {socket.gethostname()}, process {os.getpid()}"
        try:
            epoch = standing.take(self.conn, self.plan, holder, _SLACK)
        except LeaseHeld as error:
            found.busy = error
            return found
        try:
            self._all(wanted, only, epoch, found)
            with self.conn.transaction():
                standing.extend(self.conn, self.plan, epoch, _SLACK)
                standing.forget(self.conn, self.plan, self.clock.of(self.conn) - wanted.keep)
            found.at = self._now()
            order = [item.id for item in wanted.checks]
            trends = standing.trends(self.conn, self.plan, last)
            found.trends = sorted(trends, key=lambda trend: order.index(trend.check.name))
        finally:
            if not self.conn.closed:
                standing.release(self.conn, self.plan, epoch)
        return found

    def _all(self, wanted: Standing, only: Collection[str], epoch: int, found: Run) -> None:
        with self.conn.transaction():
            standing.extend(self.conn, self.plan, epoch, _SLACK)
            standing.define(self.conn, self.plan, [_wording(item) for item in wanted.checks], self._now())
        states = phases.states(self.conn, self.plan)
        rows = {trend.check.name: trend for trend in standing.trends(self.conn, self.plan, 1)}
        of = {name: phase.id for phase in self.loaded.plan.phases for step in phase.steps for name in mappings_of(step)}
        for number, item in enumerate(wanted.checks):
            if self.stop.is_set():
                return
            known = rows[item.id]
            if why := idle_for(item, of, states):
                found.idle[item.id] = why
                self._rest(known.check, epoch, why)
            elif item.id in only or (not only and is_due(item, known.last, self._now())):
                limit = item.within or wanted.within
                standing.extend(self.conn, self.plan, epoch, TRIES * limit + _SLACK)
                found.made[item.id] = self._make(item, number, limit)
                self._keep(item, known.check, found.made[item.id], epoch)
            else:
                found.idle[item.id] = "was not asked for" if only else "is not due"

    def _make(self, item: StandingCheck, number: int, limit: timedelta) -> Made:
        where = self.loaded.where("standing", "checks", number)
        return make(
            self.loaded,
            self.sessions,
            item,
            limit,
            where,
            clock=self.clock,
            progress=self.progress,
            stop=self.stop,
        )

    def _keep(self, item: StandingCheck, row: CheckRow, made: Made, epoch: int) -> None:
        """In one transaction: the result, how the check stands, and whether that is news."""
        with self.conn.transaction():
            standing.extend(self.conn, self.plan, epoch, _SLACK)
            now = self._now()
            result = Result(now, made.outcome, made.value, made.seconds, made.found)
            standing.keep(self.conn, row.id, result, made.query)
            alert = is_alert(standing.judged(self.conn, row.id, item.alert.window), item.alert)
            since = row.failing_since
            if made.outcome != "unknown":
                since = (since or now) if made.outcome == "fails" else None
            self._stands(row, applies=True, failing_since=since, alert=alert, at=now, found=made.found)

    def _rest(self, row: CheckRow, epoch: int, why: str) -> None:
        with self.conn.transaction():
            standing.extend(self.conn, self.plan, epoch, _SLACK)
            self._stands(row, applies=False, failing_since=None, alert=False, at=self._now(), found=f"it {why}")

    def _stands(
        self, row: CheckRow, *, applies: bool, failing_since: datetime | None, alert: bool, at: datetime, found: str
    ) -> None:
        since = (row.alert_since or at) if alert else None
        standing.set_state(self.conn, row.id, applies=applies, failing_since=failing_since, alert_since=since)
        if (since is None) is not (row.alert_since is None):
            news = "is an alert" if alert else "is no alert any more"
            payload = {"what": f"standing check {row.name} {news}: {found}", "standing": row.name, "alert": alert}
            chain.append(self.conn, kind="event", plan=self.plan, payload=payload)

    def _now(self) -> datetime:
        return self.clock.of(self.conn)


def _wording(item: StandingCheck) -> tuple[str, str, str]:
    """Name, digest and words of a check: what it asks, and when that is an alert."""
    asks = REGISTRY[type(item.check)].describe(item.check)
    return item.id, pins.step_digest(item.check), asks
