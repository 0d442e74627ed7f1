"""Making one standing check."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine import sqlerrors
from lockgate.engine.clock import Clock
from lockgate.errors import LockgateError
from lockgate.ledger import canonical
from lockgate.ledger.standing import Outcome
from lockgate.plan.models import ReconcileCheck, StandingCheck, format_duration
from lockgate.report import visible
from lockgate.standing.timebox import TimeBox

if TYPE_CHECKING:
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

TRIES = 3
_PAUSE = 1.0  # seconds in which a runner gets the lock for which the check was sent away


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a check.

    :param found: in words, without any value of a row.
    :param query: what was asked; None if nothing could be.
    :param cancelled: whether somebody sent it away before its time was over.
    """

    outcome: Outcome
    value: float | None
    found: str
    query: str | None
    seconds: float
    hint: str | None = None
    cancelled: bool = False


def make(
    loaded: LoadedPlan,
    sessions: Sessions,
    item: StandingCheck,
    limit: timedelta,
    where: str,
    *,
    clock: Clock,
    progress: Progress,
    stop: threading.Event,
) -> Made:
    """Make a check within its time; if a runner that needed a lock has cancelled it, try again.

    :param where: ``file:line:column`` of it.
    """
    for attempt in range(1, TRIES + 1):
        made = _once(loaded, sessions, item, limit, where, clock, progress, stop)
        if not made.cancelled or attempt == TRIES or clock.wait(stop, _PAUSE):
            break
    return made


def _once(
    loaded: LoadedPlan,
    sessions: Sessions,
    item: StandingCheck,
    limit: timedelta,
    where: str,
    clock: Clock,
    progress: Progress,
    stop: threading.Event,
) -> Made:
    kind, began = REGISTRY[type(item.check)], clock.monotonic()
    scratch = isinstance(item.check, ReconcileCheck)
    with TimeBox(sessions, limit, scratch=scratch) as box:
        try:
            with box.open("check", plan_sql=True, read_only=True) as conn:
                result = kind.evaluate(
                    CheckContext(
                        conn=conn,
                        sessions=box,
                        loaded=loaded,
                        check=item.check,
                        where=where,
                        clock=clock,
                        progress=progress,
                        stop=stop.is_set,
                    )
                )
            return _judged(result, kind.describe(item.check), clock.monotonic() - began)
        except (LockgateError, psycopg.Error) as error:
            return _unknown(error, where, limit, clock.monotonic() - began, over=box.over)


def _judged(result: CheckResult, asks: str, seconds: float) -> Made:
    plain = [canonical.plain(dict(fact.result)) for fact in result.evidence]
    hides = any(visible.hides(fact) for fact in plain if isinstance(fact, dict))
    found = f"{asks}: {visible.HIDDEN}" if hides else result.what
    query = result.evidence[0].query if result.evidence else None
    return Made("holds" if result.passed else "fails", result.value, found, query, seconds, result.hint)


def _unknown(error: LockgateError | psycopg.Error, where: str, limit: timedelta, seconds: float, *, over: bool) -> Made:
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    stopped = isinstance(cause, psycopg.errors.QueryCanceled)
    if over or (stopped and seconds >= limit.total_seconds()):
        found = f"It did not end within {format_duration(limit)}, so it was stopped"
        return Made("unknown", None, found, None, seconds, "Make the query cheaper, or give it more time: `within`.")
    if stopped:
        found = "It was cancelled: a run of the plan needed a lock that it held, or somebody did it by hand"
        return Made("unknown", None, found, None, seconds, "The next run makes it again.", cancelled=True)
    told = sqlerrors.explain(error, where, "The query failed") if isinstance(error, psycopg.Error) else error
    found = ": ".join(part for part in (told.what, told.why) if part)
    return Made("unknown", None, found, None, seconds, told.hint)
