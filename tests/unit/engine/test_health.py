from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate.engine.health import Health, Signal, Verdict, latency
from lockgate.plan.models import Settings

GO = Signal("a", Verdict.GO, "fine", 1.0)
HOLD = Signal("b", Verdict.HOLD, "too slow", 2.0)
UNKNOWN = Signal("c", Verdict.UNKNOWN, "may not look")


@pytest.mark.parametrize(
    ("signals", "verdict", "reason"),
    [
        ((GO, GO), Verdict.GO, ""),
        ((GO, UNKNOWN), Verdict.GO, ""),
        ((UNKNOWN, HOLD, GO), Verdict.HOLD, "too slow"),
        ((UNKNOWN,), Verdict.UNKNOWN, ""),
        ((), Verdict.UNKNOWN, ""),
    ],
)
def test_any_hold_holds_and_an_unknown_never_does(signals: tuple[Signal, ...], verdict: Verdict, reason: str) -> None:
    health = Health(signals)
    assert (health.verdict, health.reason) == (verdict, reason)


def test_latency_needs_a_limit() -> None:
    assert latency(9.0, Settings()) is None


@pytest.mark.parametrize(("slowest", "verdict"), [(None, Verdict.UNKNOWN), (0.005, Verdict.GO), (0.02, Verdict.HOLD)])
def test_latency_is_compared_with_its_limit(slowest: float | None, verdict: Verdict) -> None:
    signal = latency(slowest, Settings(max_latency=timedelta(milliseconds=10)))
    assert signal is not None
    assert signal.verdict is verdict
