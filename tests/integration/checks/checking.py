"""Making a check on a database, as a run does."""

from __future__ import annotations

from typing import Any

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine.clock import SystemClock
from tests.integration.engine.plans import Told, sessions


def check(dsn: str, wanted: Any) -> CheckResult:
    ours = sessions(dsn)
    with ours.open("check", plan_sql=True, read_only=True) as conn:
        return REGISTRY[type(wanted)].evaluate(
            CheckContext(
                conn=conn,
                sessions=ours,
                loaded=None,  # type: ignore[arg-type]  # these kinds look at the check only
                check=wanted,
                where="plan.yaml:9:9",
                clock=SystemClock(),
                progress=Told(),
                stop=lambda: False,
            )
        )
