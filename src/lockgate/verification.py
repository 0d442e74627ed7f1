"""Making the checks of phases that are done again, at any later time; changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext
from lockgate.engine import phases
from lockgate.engine.clock import Clock
from lockgate.engine.phases import PhaseState
from lockgate.engine.recording import evidence
from lockgate.errors import LockgateError, UsageError
from lockgate.ledger import chain, require_home
from lockgate.suggest import did_you_mean

if TYPE_CHECKING:
    from lockgate.checks.base import CheckResult
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan
    from lockgate.plan.models import Phase


@dataclass(frozen=True, slots=True)
class Verified:
    """One check made again.

    :param number: of the check in its phase, from 1.
    :param result: None when it could not be made; ``error`` says why.
    """

    phase: str
    number: int
    asks: str
    where: str
    result: CheckResult | None
    error: LockgateError | None = None

    @property
    def passed(self) -> bool:
        """Whether it still holds."""
        return self.result is not None and self.result.passed


def verify(
    loaded: LoadedPlan,
    sessions: Sessions,
    *,
    only: str | None,
    kinds: tuple[type, ...] = (),
    progress: Progress,
    clock: Clock,
    stop: threading.Event,
) -> Iterator[Verified]:
    """Make the checks of every phase that is done, or of one.

    :param kinds: models of the checks that are made; empty: all.
    :raises UsageError: when there is no such phase, or it is not done.
    :raises LedgerError: when there is no ledger, or it was copied from another database: what a comparison would
        forgive as still to be applied, it would read from there.
    """
    with sessions.open("verify") as conn:
        require_home(conn)
        known = phases.states(conn, loaded.plan.plan)
    for phase in _wanted(loaded, known, only):
        for number, check in enumerate(phase.checks):
            if stop.is_set():
                return
            if kinds and not isinstance(check, kinds):
                continue
            where = loaded.where("phases", loaded.plan.phases.index(phase), "after", number)
            kind = REGISTRY[type(check)]
            asks = kind.describe(check)
            try:
                with sessions.open("check", plan_sql=True, read_only=True) as conn:
                    given = CheckContext(
                        conn=conn,
                        sessions=sessions,
                        loaded=loaded,
                        check=check,
                        where=where,
                        clock=clock,
                        progress=progress,
                        stop=stop.is_set,
                    )
                    yield Verified(phase.id, number + 1, asks, where, kind.evaluate(given))
            except LockgateError as error:
                yield Verified(phase.id, number + 1, asks, where, None, error)


def record(loaded: LoadedPlan, sessions: Sessions, found: Verified) -> None:
    """Put what a check found into the ledger, with its evidence."""
    if found.result is None:
        return
    plan = loaded.plan.plan
    payload = {
        "check": found.number,
        "asks": found.asks,
        "what": found.result.what,
        "passed": found.passed,
        "again": True,
    }
    with sessions.open("verify") as conn, conn.transaction():
        evidence(conn, plan, found.phase, None, found.result.evidence, run_id=None)
        chain.append(conn, kind="check", plan=plan, phase=found.phase, payload=payload)


def _wanted(loaded: LoadedPlan, known: dict[str, PhaseState], only: str | None) -> list[Phase]:
    done = [phase for phase in loaded.plan.phases if known.get(phase.id) is PhaseState.DONE]
    if only is None:
        return done
    names = [phase.id for phase in loaded.plan.phases]
    if only not in names:
        raise UsageError(f"There is no phase {only}{did_you_mean(only, names)}", where=f"{loaded.folder}/plan.yaml")
    wanted = [phase for phase in done if phase.id == only]
    if not wanted:
        raise UsageError(f"Phase {only} is not done, so there is nothing to check again")
    return wanted
