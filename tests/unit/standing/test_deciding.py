"""When a check is due, when it must hold at all, and when its failures are an alert."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from lockgate.engine.phases import PhaseState
from lockgate.ledger.standing import Outcome, Result, Trend
from lockgate.plan.models import Alert, StandingCheck
from lockgate.standing.running import idle_for, is_alert, is_due
from tests.unit.standing.trends import NOON, trend

OUTCOMES: dict[str, Outcome] = {outcome[0]: outcome for outcome in get_args(Outcome)}


def item(**more: object) -> StandingCheck:
    check = more.pop("check", {"query": "SELECT 1", "equals": 1})
    return StandingCheck.model_validate({"id": "c", "check": check, **more})


@pytest.mark.parametrize(
    ("newest_first", "alert", "expected"),
    [
        ("", Alert(), False),
        ("h", Alert(), False),
        ("f", Alert(), True),
        ("hf", Alert(), False),
        ("ff", Alert(fails=3), False),
        ("fff", Alert(fails=3), True),
        ("ffhf", Alert(fails=3), False),
        ("fhf", Alert(fails=2, of=3), True),
        ("hff", Alert(fails=2, of=3), True),
        ("hhff", Alert(fails=2, of=3), False),
    ],
)
def test_an_alert_is_so_many_failures_of_so_many_runs(newest_first: str, alert: Alert, expected: bool) -> None:
    assert is_alert([OUTCOMES[letter] for letter in newest_first], alert) is expected


def test_more_failures_than_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be 3 failures of 2 runs"):
        Alert(fails=3, of=2)


@pytest.mark.parametrize(
    ("every", "outcome", "passed", "due"),
    [
        (None, "holds", timedelta(), True),
        ("1h", "holds", timedelta(minutes=53), False),
        ("1h", "holds", timedelta(minutes=54), True),
        ("1h", "fails", timedelta(minutes=53), False),
        ("1h", "unknown", timedelta(seconds=1), True),
    ],
)
def test_cron_need_not_be_punctual(every: str | None, outcome: Outcome, passed: timedelta, due: bool) -> None:
    last = Result(NOON, outcome, None, 0.1, "")
    assert is_due(item(every=every), last, NOON + passed) is due


def test_a_clock_that_was_set_back_lets_no_check_rest_for_long() -> None:
    last = Result(NOON, "holds", None, 0.1, "")
    assert is_due(item(every="1h"), last, NOON - timedelta(days=3))
    assert not is_due(item(every="1h"), last, NOON)


def test_what_was_never_made_is_due() -> None:
    assert is_due(item(every="1d"), None, NOON)


@pytest.mark.parametrize("state", list(PhaseState))
def test_a_check_holds_from_the_end_of_a_phase_to_the_beginning_of_another(state: PhaseState) -> None:
    first, last = idle_for(item(**{"from": "p"}), {}, {"p": state}), idle_for(item(until="p"), {}, {"p": state})
    assert (first is None) is (state is PhaseState.DONE)
    assert (last is None) is (state in {PhaseState.PENDING, PhaseState.UNDONE})
    assert first in {None, "holds from phase p on, which is not done"}
    assert last in {None, "held until phase p, which has begun"}


def test_a_comparison_waits_for_the_phase_that_fills_its_table() -> None:
    compared = item(check={"reconcile": "m"})
    assert idle_for(compared, {"m": "p"}, {}) == "holds from phase p on, which is not done"
    assert idle_for(compared, {"m": "p"}, {"p": PhaseState.DONE}) is None
    later = item(check={"reconcile": "m"}, **{"from": "q"})
    assert idle_for(later, {"m": "p"}, {"p": PhaseState.DONE}) == "holds from phase q on, which is not done"


def test_an_alert_goes_before_what_was_found_last_and_a_check_at_rest_is_idle() -> None:
    assert [
        trend().state,
        trend(outcome="fails").state,
        trend(outcome="unknown").state,
        trend(outcome="unknown", alert=True).state,
        trend(applies=False).state,
        Trend(trend().check, ()).state,
    ] == ["holds", "fails", "unknown", "alert", "idle", "idle"]
    assert trend(outcome="unknown", alert=True).unknown
    assert not trend(outcome="unknown", applies=False).unknown


@pytest.mark.parametrize(("values", "change"), [((3.0, 1.5), 1.5), ((3.0,), None), ((3.0, None), None), ((), None)])
def test_the_change_is_between_the_last_two(values: tuple[float | None, ...], change: float | None) -> None:
    results = tuple(Result(NOON, "holds", value, 0.1, "") for value in values)
    assert Trend(trend().check, results).change == change
