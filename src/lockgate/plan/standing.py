"""Standing checks: what must go on holding after the work, looked at again and again by ``lockgate standing``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from lockgate.plan.base import Strict
from lockgate.plan.conditions import Check
from lockgate.plan.values import Identifier, PositiveDuration, Timeout, Variable


class Alert(Strict):
    """When a check that fails is an alert. The alert is over as soon as this does not hold any more."""

    fails: int = Field(1, ge=1, le=100, description="How many of the last runs must have failed.")
    of: int | None = Field(
        None, ge=1, le=100, description="Of how many runs; left out: of as many as must have failed, so in a row."
    )

    @property
    def window(self) -> int:
        """The number of runs that are looked at."""
        return self.of or self.fails

    @model_validator(mode="after")
    def _enough_runs(self) -> Alert:
        if self.window < self.fails:
            raise ValueError(f"cannot be {self.fails} failures of {self.window} runs")
        return self


class StandingCheck(Strict):
    """Something that must go on holding."""

    id: Identifier = Field(description="Name of the check, unique among them; alerts and metrics carry it.")
    check: Check = Field(description="What must hold, as in a phase's `after`; its expectation is the threshold.")
    from_: Identifier | None = Field(
        None,
        alias="from",
        description="The phase from whose end on it must hold. Left out: always, and a `reconcile` from the end of the "
        "phase that fills its table.",
    )
    until: Identifier | None = Field(None, description="The phase from whose beginning on it need not hold any more.")
    every: PositiveDuration | None = Field(
        None, description="Not made again before this time has passed; left out: in each run."
    )
    within: Timeout | None = Field(None, description="Longest time that it may take; left out: `within` of them all.")
    alert: Alert = Field(Alert(), description="When its failures are an alert; left out: at the first one.")


class Webhook(Strict):
    """Whom `lockgate standing` tells when an alert is raised or is over."""

    to: Variable = Field(
        description="Name of the environment variable that holds the address, https://...; it gets a POST with JSON."
    )
    each_run: bool = Field(False, description="Whether it is told of each run, and not of changes alone.")
    within: PositiveDuration = Field(timedelta(seconds=10), description="Longest wait for its answer.")


class Standing(Strict):
    """Checks that `lockgate standing` makes again and again, from cron. They change nothing, nor does their change."""

    checks: Annotated[tuple[StandingCheck, ...], Field(min_length=1)] = Field(description="The checks, in this order.")
    within: Timeout = Field(timedelta(minutes=1), description="Longest time that one check may take.")
    keep: PositiveDuration = Field(
        timedelta(days=90),
        description="How long results stay in the ledger; the newest 100 of each check stay in any case.",
    )
    webhook: Webhook | None = Field(None, description="Whom to tell of alerts.")
