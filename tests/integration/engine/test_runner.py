from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import approval, runner
from lockgate.engine.clock import FakeClock, SystemClock
from lockgate.errors import (
    AwaitingApproval,
    AwaitingTime,
    CheckFailed,
    ExitCode,
    GateRefused,
    LeaseHeld,
    LeaseLost,
    LedgerError,
    LockgateError,
    PlanChanged,
    UsageError,
)
from lockgate.ledger import audit, control
from tests.integration.engine.plans import Told, let_go, make_held, one, rows, sessions, write_plan
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server  # the order of things; what steps and checks do is tested on both

DAY = timedelta(days=1)
TWO = """
phases:
  - id: first
    steps: [{sql: CREATE TABLE one (x int), id: one}]
    undo: [{sql: DROP TABLE one}]
  - id: second
    steps: [{sql: CREATE TABLE two (x int), id: two}]
    undo: [{sql: DROP TABLE two}]
"""


def apply(dsn: str, folder: Path, text: str, **options: Any) -> runner.RunResult:
    return runner.apply(write_plan(folder, text), sessions(dsn), **options)


def states(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT phase, state FROM lockgate.phases"))


def test_runs_the_phases_in_their_order_and_passes_done_ones_over(dsn: str, tmp_path: Path) -> None:
    told = Told()
    result = apply(dsn, tmp_path, TWO, to="first", progress=told)
    assert (result.phases, states(dsn)) == (("first",), {"first": "done"})
    result = apply(dsn, tmp_path, TWO)
    assert (result.phases, states(dsn)) == (("second",), {"first": "done", "second": "done"})
    assert apply(dsn, tmp_path, TWO).phases == ()
    assert told.events == [
        "phase first: begins",
        "step first/one: begins",
        "step first/one: 1 statement in one transaction",
        "phase first: done",
    ]


def test_says_which_phase_was_meant(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        apply(dsn, tmp_path, TWO, to="secnd")
    assert caught.value.hint == "Did you mean second?"


def test_each_run_is_in_the_ledger_with_how_it_ended(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, TWO)
    with pytest.raises(PlanChanged):
        apply(dsn, tmp_path, TWO.replace("two (x int)", "two (x bigint)"))
    assert rows(dsn, "SELECT command, outcome FROM lockgate.runs ORDER BY id") == [
        ("apply", "done"),
        ("apply", "changed"),
    ]


def test_a_second_runner_is_refused(dsn: str, tmp_path: Path) -> None:
    make_held(dsn)
    slow = "phases: [{id: a, steps: [{sql: CREATE TABLE t AS SELECT held() AS x}]}]"
    first = threading.Thread(target=apply, args=(dsn, tmp_path / "a", slow))
    first.start()
    wait_until(lambda: rows(dsn, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE t AS%'"))
    with pytest.raises(LeaseHeld) as caught:
        apply(dsn, tmp_path / "b", TWO)
    assert caught.value.exit_code is ExitCode.LEASE_HELD
    let_go(dsn)
    first.join()
    assert states(dsn) == {"a": "done"}


def test_stops_when_told_to_and_goes_on_later(dsn: str, tmp_path: Path) -> None:
    make_held(dsn)
    stop, told = threading.Event(), Told()
    text = """
    phases:
      - id: a
        steps:
          - {sql: CREATE TABLE one AS SELECT held() AS x, id: one}
          - {sql: CREATE TABLE two (), id: two}
    """

    def interrupt() -> None:
        wait_until(lambda: "step a/one: begins" in told.events)
        stop.set()
        let_go(dsn)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = apply(dsn, tmp_path, text, stop=stop, progress=told)
    thread.join()
    assert (result.outcome, result.exit_code) == (runner.Outcome.INTERRUPTED, ExitCode.INTERRUPTED)
    assert (one(dsn, "SELECT to_regclass('one')"), one(dsn, "SELECT to_regclass('two')")) == ("one", None)
    assert states(dsn) == {"a": "running"}
    assert rows(dsn, "SELECT outcome FROM lockgate.runs") == [("interrupted",)]
    assert apply(dsn, tmp_path, text).phases == ("a",)
    assert one(dsn, "SELECT to_regclass('two')") == "two"


def test_waits_before_a_step_while_it_is_paused(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, TWO, to="first")
    with psycopg.connect(dsn, autocommit=True) as conn:
        control.set(conn, "shop", paused=True, reason="a release")
        told = Told()

        def resume() -> None:
            wait_until(lambda: told.waits)
            assert one(dsn, "SELECT to_regclass('two')") is None
            control.set(conn, "shop", paused=False)

        thread = threading.Thread(target=resume)
        thread.start()
        apply(dsn, tmp_path, TWO, progress=told)
        thread.join()
    assert told.waits == [("paused: a release", "lockgate resume"), ("", "")]
    assert states(dsn)["second"] == "done"


def test_a_runner_that_lost_its_lease_commits_nothing_more(dsn: str, tmp_path: Path) -> None:
    text = """
    phases:
      - id: a
        steps:
          - {sql: CREATE TABLE one AS SELECT held() AS x, id: one}
          - {sql: CREATE TABLE two AS SELECT 1 AS x FROM pg_sleep(1), id: two}
          - {sql: CREATE TABLE three AS SELECT 1 AS x FROM pg_sleep(1), id: three}
    """
    tables = "SELECT array_agg(relname::text ORDER BY oid) FROM pg_class WHERE relname IN ('one', 'two', 'three')"
    seen: list[list[str]] = []

    def steal() -> None:
        wait_until(lambda: rows(dsn, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE one AS%'"))
        with psycopg.connect(dsn, autocommit=True) as thief:
            thief.execute("UPDATE lockgate.lease SET epoch = epoch + 1, holder = 'thief'")
            seen.append(one(dsn, tables))

    def release() -> None:
        thief = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'UPDATE lockgate.lease%thief%' AND "
        wait_until(lambda: rows(dsn, thief + "wait_event_type = 'Lock'"))
        let_go(dsn)

    make_held(dsn)
    threads = [threading.Thread(target=steal), threading.Thread(target=release)]
    for thread in threads:
        thread.start()
    with pytest.raises(LeaseLost) as caught:
        apply(dsn, tmp_path, text)
    for thread in threads:
        thread.join()
    assert caught.value.exit_code is ExitCode.LEASE_HELD
    # The thief had to wait for the transaction that had asserted the lease, and nothing came after the theft.
    assert seen[0][0] == "one"
    assert seen[0] == one(dsn, tables) != ["one", "two", "three"]


# --- checks -----------------------------------------------------------------------------------------------


def test_failing_checks_fail_the_phase_and_are_made_again(dsn: str, tmp_path: Path) -> None:
    text = """
    phases:
      - id: a
        steps: [{sql: CREATE TABLE one (x int), id: one}]
        after:
          - {query: SELECT count(*) FROM one, equals: 1}
          - {query: SELECT 1, equals: 1}
          - {query: SELECT x FROM one, empty: false, title: there are rows}
    """
    with pytest.raises(CheckFailed) as caught:
        apply(dsn, tmp_path, text)
    assert caught.value.what == "2 of 3 checks of phase a failed"
    assert caught.value.where == "plan.yaml:7:9"
    assert "SELECT count(*) FROM one: 0, and it must be 1" in str(caught.value.why)
    assert "there are rows: 0 rows, and there must be some" in str(caught.value.why)
    assert states(dsn) == {"a": "failed"}
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO one VALUES (1)")
    apply(dsn, tmp_path, text)
    assert states(dsn) == {"a": "done"}
    passed = rows(dsn, "SELECT (payload->'passed')::bool FROM lockgate.chain WHERE kind = 'check' ORDER BY seq")
    assert [p for (p,) in passed] == [False, True, False, True, True, True]


def test_every_check_leaves_its_query_and_its_result(dsn: str, tmp_path: Path) -> None:
    text = "phases: [{id: a, steps: [{sql: SELECT 1}], after: [{query: SELECT 40 + 2, equals: 42}]}]"
    apply(dsn, tmp_path, text)
    (payload,) = rows(dsn, "SELECT payload FROM lockgate.chain WHERE kind = 'evidence'")[0]
    assert payload == {
        "name": "SELECT 40 + 2",
        "query": "SELECT 40 + 2",
        "result": {"value": 42, "expected": "42", "passed": True},
    }


# --- gates ------------------------------------------------------------------------------------------------


def test_a_closed_gate_stops_before_anything_is_done(dsn: str, tmp_path: Path) -> None:
    text = """
    phases:
      - id: a
        before: [{query: SELECT 1, equals: 2, title: the moon is full}]
        steps: [{sql: CREATE TABLE one (x int)}]
    """
    with pytest.raises(GateRefused) as caught:
        apply(dsn, tmp_path, text)
    assert caught.value.exit_code is ExitCode.GATE_REFUSED
    assert "the moon is full: 1, and it must be 2" in caught.value.what
    assert caught.value.where == "plan.yaml:5:14"
    assert states(dsn) == {}
    assert rows(dsn, "SELECT payload->>'passed' FROM lockgate.chain WHERE kind = 'gate'") == [("false",)]
    assert one(dsn, "SELECT to_regclass('one')") is None


def test_the_gravest_refusal_decides_the_exit_code(dsn: str, tmp_path: Path) -> None:
    gates = ["{soak: {since: first, for: 1h}}", "{approval: {by: 1}}", "{query: SELECT 1, equals: 2}"]
    text = """
    phases:
      - {id: first, steps: [{sql: SELECT 1}]}
      - {id: second, before: [%s], steps: [{sql: SELECT 1}]}
    """
    apply(dsn, tmp_path, text % gates[0], to="first")
    for count, error in enumerate((AwaitingTime, AwaitingApproval, GateRefused), start=1):
        with pytest.raises(error) as caught:
            apply(dsn, tmp_path, text % ", ".join(gates[:count]))
        assert (caught.value.why is None) is (count == 1)


def test_time_passes_by_the_engines_clock(dsn: str, tmp_path: Path) -> None:
    text = """
    phases:
      - {id: first, steps: [{sql: SELECT 1}]}
      - {id: second, before: [{soak: {since: first, for: 30d}}], steps: [{sql: SELECT 1}]}
    """
    with pytest.raises(AwaitingTime) as caught:
        apply(dsn, tmp_path, text)
    assert caught.value.exit_code is ExitCode.AWAITING_TIME
    ended = one(dsn, "SELECT ended_at FROM lockgate.phases")
    with pytest.raises(AwaitingTime):
        apply(dsn, tmp_path, text, clock=FakeClock(ended.replace(microsecond=0) + 29 * DAY))
    apply(dsn, tmp_path, text, clock=FakeClock(ended + 30 * DAY))
    assert states(dsn)["second"] == "done"


def test_a_machine_whose_clock_is_wrong_opens_no_gate(dsn: str, tmp_path: Path) -> None:
    class Ahead(SystemClock):
        def now(self) -> datetime:
            return super().now() + 31 * DAY

    text = """
    phases:
      - {id: first, steps: [{sql: SELECT 1}]}
      - {id: second, before: [{soak: {since: first, for: 30d}}], steps: [{sql: SELECT 1}]}
    """
    with pytest.raises(AwaitingTime):
        apply(dsn, tmp_path, text, clock=Ahead())
    assert states(dsn) == {"first": "done"}


def test_gates_are_not_asked_again_for_a_phase_that_goes_on(dsn: str, tmp_path: Path) -> None:
    text = """
    phases:
      - id: a
        before: [{query: SELECT to_regclass('one') IS NULL, equals: true}]
        steps: [{sql: CREATE TABLE one (x int), id: one}, {sql: SELECT %s, id: two}]
    """
    with pytest.raises(LockgateError):
        apply(dsn, tmp_path, text % "nonsense")
    apply(dsn, tmp_path, text % "1")
    assert states(dsn) == {"a": "done"}


APPROVED = """
phases:
  - {id: first, steps: [{sql: CREATE TABLE one (x int)}]}
  - id: second
    before: [{approval: {by: %d}}]
    steps: [{sql: CREATE TABLE two (x int), id: two}, {sql: SELECT 1%s, id: three}]
"""


def approve(dsn: str, folder: Path, text: str, by: str) -> approval.Approved:
    return approval.approve(write_plan(folder, text), sessions(dsn), "second", by)


def test_waits_for_as_many_people_as_the_plan_says(dsn: str, tmp_path: Path) -> None:
    text = APPROVED % (2, "")
    with pytest.raises(AwaitingApproval) as caught:
        apply(dsn, tmp_path, text)
    assert caught.value.exit_code is ExitCode.AWAITING_APPROVAL
    assert approve(dsn, tmp_path, text, "ana").count == 1
    assert approve(dsn, tmp_path, text, "ana").count == 1
    with pytest.raises(AwaitingApproval):
        apply(dsn, tmp_path, text)
    assert approve(dsn, tmp_path, text, "bob").count == 2
    apply(dsn, tmp_path, text)
    assert states(dsn)["second"] == "done"


def test_an_approval_is_for_this_plan(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, APPROVED % (1, ""), to="first")
    approve(dsn, tmp_path, APPROVED % (1, ""), "ana")
    with pytest.raises(PlanChanged) as caught:
        apply(dsn, tmp_path, APPROVED % (1, " + 1"))
    assert caught.value.exit_code is ExitCode.CHANGED
    assert "approved by ana, but the plan was changed since" in caught.value.what


def test_an_approval_is_for_this_schema(dsn: str, tmp_path: Path) -> None:
    text = APPROVED % (1, "")
    apply(dsn, tmp_path, text, to="first")
    approve(dsn, tmp_path, text, "ana")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ALTER TABLE one ADD COLUMN surprise int")
    with pytest.raises(PlanChanged) as caught:
        apply(dsn, tmp_path, text)
    assert "the schema was changed since: column public.one.surprise: should not be there" in caught.value.what
    approve(dsn, tmp_path, text, "ana")
    apply(dsn, tmp_path, text)


def test_a_phase_that_goes_on_must_be_the_one_that_was_approved(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, APPROVED % (1, ""), to="first")
    approve(dsn, tmp_path, APPROVED % (1, "/0"), "ana")
    with pytest.raises(LockgateError, match="SELECT"):
        apply(dsn, tmp_path, APPROVED % (1, "/0"))
    with pytest.raises(PlanChanged, match="since phase second was approved"):
        apply(dsn, tmp_path, APPROVED % (1, "/1"))
    approve(dsn, tmp_path, APPROVED % (1, "/1"), "bob")
    apply(dsn, tmp_path, APPROVED % (1, "/1"))
    assert states(dsn)["second"] == "done"


def test_an_approval_too_early_or_for_nothing_is_refused(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be approved yet"):
        approve(dsn, tmp_path, APPROVED % (1, ""), "ana")
    with pytest.raises(UsageError, match="asks for no approval"):
        approval.approve(write_plan(tmp_path, APPROVED % (1, "")), sessions(dsn), "first", "ana")
    with pytest.raises(UsageError, match="no phase thrid"):
        approval.approve(write_plan(tmp_path, APPROVED % (1, "")), sessions(dsn), "thrid", "ana")


# --- a plan that changes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("one (x int)", "one (x bigint)"), "plan.yaml:5:13: step one of phase first"),
        (
            lambda text: text.replace("id: one}", "id: won}"),
            "step one of phase first, which is done, is not in the plan",
        ),
        (lambda text: text.replace("id: first", "id: frist"), "phase first, which is done, is not in the plan"),
        (
            lambda text: text.replace("id: first\n", "id: first\n    after: [{query: SELECT 1, equals: 1}]\n"),
            "gates, steps or checks of phase first",
        ),
        (
            lambda text: text.replace("phases:\n", "phases:\n  - {id: zero, steps: [{sql: SELECT 1}]}\n"),
            "phase zero, which is not done, stands before phase first",
        ),
    ],
)
def test_what_is_done_may_not_change(dsn: str, tmp_path: Path, change: Any, told: str) -> None:
    apply(dsn, tmp_path, TWO, to="first")
    with pytest.raises(PlanChanged) as caught:
        apply(dsn, tmp_path, change(TWO))
    assert caught.value.exit_code is ExitCode.CHANGED
    assert told in str(caught.value.why)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("two (x int)", "two (x bigint)"),
        lambda text: text.replace("DROP TABLE one", "DROP TABLE IF EXISTS one"),
        lambda text: text.replace("phases:", "settings: {workers: 2}\nphases:"),
        lambda text: text.replace("- id: first", "- id: first\n    title: The first one"),
        lambda text: text.replace("id: one}", "id: one, title: The first step}"),
        lambda text: text + "  - {id: third, steps: [{sql: SELECT 1}]}\n",
        lambda text: text.replace("phases:", "# a comment\nphases:"),
    ],
)
def test_the_rest_may_change(dsn: str, tmp_path: Path, change: Any) -> None:
    apply(dsn, tmp_path, TWO, to="first")
    apply(dsn, tmp_path, change(TWO))
    assert states(dsn)["second"] == "done"


def test_a_newer_ledger_is_refused(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, TWO)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO lockgate.meta (number, name, sha256, applied_by) VALUES (999, 'future', 'x', 'x')")
    with pytest.raises(LedgerError, match="newer"):
        apply(dsn, tmp_path, TWO)


def test_the_chain_is_sound_afterwards(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, TWO)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert audit.verify(conn) == []
