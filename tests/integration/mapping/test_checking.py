"""The check ``reconcile``: what it says, and when it does not pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine.clock import SystemClock
from lockgate.plan.models import ReconcileCheck
from tests.integration.engine.plans import Told
from tests.integration.mapping.harness import PLAN, Bench


def check(bench: Bench, name: str) -> CheckResult:
    """Make the check of a mapping."""
    loaded: Any = SimpleNamespace(plan=SimpleNamespace(plan=PLAN))
    phase: Any = None
    return REGISTRY[ReconcileCheck].evaluate(
        CheckContext(
            conn=bench.conn,
            sessions=bench.sessions,
            loaded=loaded,
            phase=phase,
            check=ReconcileCheck(reconcile=name),
            where="plan.yaml:9:9",
            clock=SystemClock(),
            progress=Told(),
            stop=lambda: False,
        )
    )


def test_keys_that_the_target_refuses_are_told_and_fail_the_check(bench: Bench) -> None:
    """The row that they are about is not there as it should be."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text); CREATE TABLE new.c (id int PRIMARY KEY, v varchar(5))",
        "INSERT INTO old.p VALUES (1, 'abcde')",
    )
    mapped = bench.map(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    assert check(bench, "t").passed
    bench.sql("UPDATE old.p SET v = 'abcdeXXX'")
    mapped.drain()
    found = check(bench, "t")
    assert not found.passed
    assert "1 keys are refused by the target" in found.what
    assert "1 different" in found.what
