"""Runs, phases, steps and control: plain state."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import Any

import pytest
from psycopg import Connection

from lockgate import __version__
from lockgate.errors import LedgerError, UsageError
from lockgate.ledger import chain, control, phases, runs, steps
from tests.integration.ledger.conftest import Connect

pytestmark = pytest.mark.one_server  # plain rows, which every run of a plan writes on both


def clock(conn: Connection[Any]) -> datetime:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    made = row[0]
    assert isinstance(made, datetime)
    return made


def test_a_run_says_who_where_and_how_it_ended(ledger: Connection[Any]) -> None:
    killed = runs.start(ledger, plan="p", digest="d1", command="apply")
    done = runs.start(ledger, plan="p", digest="d2", command="rollback")
    runs.start(ledger, plan="q", digest="d", command="apply")
    runs.finish(ledger, done, "undone")
    first, second = runs.of_plan(ledger, "p")
    assert (first.id, first.digest, first.ended_at, first.outcome) == (killed, "d1", None, None)
    assert (second.host, second.pid, second.version) == (socket.gethostname(), os.getpid(), __version__)
    assert second.outcome == "undone"
    assert second.ended_at is not None
    assert second.ended_at > second.started_at


def test_a_run_ends_once(ledger: Connection[Any]) -> None:
    run_id = runs.start(ledger, plan="p", digest="d", command="apply")
    runs.finish(ledger, run_id, "done")
    for wrong in (run_id, run_id + 1):
        with pytest.raises(LedgerError, match=f"Run {wrong} cannot end"):
            runs.finish(ledger, wrong, "failed")
    assert runs.of_plan(ledger, "p")[0].outcome == "done"


def test_a_phase_keeps_its_start_until_it_was_undone(ledger: Connection[Any]) -> None:
    pending = phases.set(ledger, "p", "one", "pending")
    assert (pending.started_at, pending.ended_at) == (None, None)
    running = phases.set(ledger, "p", "one", "running")
    failed = phases.set(ledger, "p", "one", "failed")
    resumed = phases.set(ledger, "p", "one", "running")
    done = phases.set(ledger, "p", "one", "done")
    undoing = phases.set(ledger, "p", "one", "undoing")
    undone = phases.set(ledger, "p", "one", "undone")
    again = phases.set(ledger, "p", "one", "running")
    assert running.started_at is not None
    assert {row.started_at for row in (running, failed, resumed, done, undoing, undone)} == {running.started_at}
    assert again.started_at is not None
    assert again.started_at > running.started_at
    assert [row.ended_at is not None for row in (running, failed, resumed, done, undoing, undone, again)] == [
        False, True, False, True, False, True, False,
    ]  # fmt: skip


def test_a_phase_that_is_done_twice_keeps_its_end(ledger: Connection[Any]) -> None:
    first = phases.set(ledger, "p", "one", "done")
    assert first.ended_at is not None
    assert phases.set(ledger, "p", "one", "done").ended_at == first.ended_at


def test_phases_come_in_the_order_of_their_start(ledger: Connection[Any]) -> None:
    phases.set(ledger, "p", "z", "done")
    phases.set(ledger, "p", "a", "running")
    phases.set(ledger, "q", "a", "running")
    found = phases.state(ledger, "p")
    assert [(name, row.plan, row.state) for name, row in found.items()] == [("z", "p", "done"), ("a", "p", "running")]


def test_times_are_the_servers_also_in_a_long_transaction(ledger: Connection[Any]) -> None:
    with ledger.transaction():
        ledger.execute("SELECT pg_sleep(0.01)")
        before = clock(ledger)
        row = phases.set(ledger, "p", "one", "running")
        step = steps.set_state(ledger, steps.get_or_create(ledger, "p", "one", "s", "sql").id, "running")
        after = clock(ledger)
    assert row.started_at is not None
    assert step.started_at is not None
    assert before < row.started_at < step.started_at < after


def test_states_that_there_are_not(ledger: Connection[Any]) -> None:
    step = steps.get_or_create(ledger, "p", "one", "s", "sql")
    with pytest.raises(LedgerError, match="A phase cannot be 'finished'"):
        phases.set(ledger, "p", "one", "finished")
    with pytest.raises(LedgerError, match="A step cannot be 'checking'"):
        steps.set_state(ledger, step.id, "checking")
    with pytest.raises(LedgerError, match="There is no step 77"):
        steps.set_state(ledger, 77, "done")
    with pytest.raises(LedgerError, match="There is no step 77"):
        steps.get(ledger, 77)


def test_a_step_is_made_once(ledger: Connection[Any]) -> None:
    assert steps.find(ledger, "p", "one", "s") is None
    made = steps.get_or_create(ledger, "p", "one", "s", "map")
    assert (made.state, made.position, made.detail, made.started_at) == ("pending", 0, {}, None)
    assert steps.get_or_create(ledger, "p", "one", "s", "map") == made
    assert steps.find(ledger, "p", "one", "s") == steps.get(ledger, made.id) == made
    other = steps.get_or_create(ledger, "p", "two", "s", "map")
    assert steps.of_plan(ledger, "p") == [made, other]


def test_a_step_made_by_two_at_once_is_one(ledger: Connection[Any], connect: Connect) -> None:
    with ledger.transaction():
        made = steps.get_or_create(ledger, "p", "one", "s", "map")
    assert steps.get_or_create(connect(), "p", "one", "s", "map") == made


def test_a_step_remembers(ledger: Connection[Any]) -> None:
    step = steps.get_or_create(ledger, "p", "one", "s", "sql")
    running = steps.set_state(ledger, step.id, "running", position=1, detail={"a": 1, "b": 2})
    recorded = steps.record(ledger, step.id, position=2, detail={"b": 3})
    assert (recorded.state, recorded.position, recorded.detail) == ("running", 2, {"a": 1, "b": 3})
    assert (recorded.started_at, recorded.ended_at) == (running.started_at, None)
    done = steps.set_state(ledger, step.id, "done")
    assert (done.position, done.detail, done.started_at) == (2, {"a": 1, "b": 3}, running.started_at)
    assert done.ended_at is not None
    assert steps.record(ledger, step.id, position=3).ended_at == done.ended_at
    undone = steps.set_state(ledger, step.id, "undone")
    assert undone.started_at == running.started_at
    again = steps.set_state(ledger, step.id, "running", position=0)
    assert again.started_at is not None
    assert running.started_at is not None
    assert again.started_at > running.started_at
    assert (again.ended_at, again.position) == (None, 0)
    assert steps.set_state(ledger, step.id, "pending").started_at is None


@pytest.mark.parametrize("state", ["pending", "undone"])
def test_a_step_that_has_not_begun_may_become_another_kind(ledger: Connection[Any], state: str) -> None:
    step = steps.get_or_create(ledger, "p", "one", "s", "sql")
    steps.set_state(ledger, step.id, "running", position=3, detail={"a": 1})
    steps.set_state(ledger, step.id, state)
    changed = steps.get_or_create(ledger, "p", "one", "s", "map")
    assert (changed.id, changed.kind, changed.state) == (step.id, "map", "pending")
    assert (changed.position, changed.detail, changed.started_at) == (0, {}, None)


@pytest.mark.parametrize("state", ["running", "done", "failed"])
def test_a_step_that_has_begun_stays_what_it_is(ledger: Connection[Any], state: str) -> None:
    step = steps.get_or_create(ledger, "p", "one", "s", "sql")
    steps.set_state(ledger, step.id, state)
    with pytest.raises(LedgerError, match=f"The step is {state} as a step of kind sql") as caught:
        steps.get_or_create(ledger, "p", "one", "s", "map")
    assert caught.value.where == "p/one/s"
    assert steps.get(ledger, step.id).kind == "sql"


def test_control_has_defaults_and_changes_only_what_is_given(ledger: Connection[Any]) -> None:
    assert control.get(ledger, "p") == control.Control("p")
    first = control.set(ledger, "p", paused=True, reason="lunch", workers=2)
    assert (first.paused, first.reason, first.workers, first.chunk_rows) == (True, "lunch", 2, None)
    assert first.updated_by == ledger.info.user
    second = control.set(ledger, "p", chunk_rows=500, updated_by="ana")
    assert (second.paused, second.reason, second.workers, second.chunk_rows) == (True, "lunch", 2, 500)
    assert second.updated_by == "ana"
    third = control.set(ledger, "p", paused=False, reason=None, workers=None)
    assert (third.paused, third.reason, third.workers, third.chunk_rows) == (False, None, None, 500)
    fourth = control.set(ledger, "p", chunk_rows=None)
    assert (fourth.paused, fourth.chunk_rows) == (False, None)
    assert control.get(ledger, "p") == fourth
    assert control.get(ledger, "q") == control.Control("q")


def test_control_leaves_its_trace_in_the_chain(ledger: Connection[Any]) -> None:
    control.set(ledger, "p", paused=True, reason="lunch")
    control.set(ledger, "p", workers=None, updated_by="ana")
    assert [entry.payload for entry in chain.entries(ledger, "p", ["control"])] == [
        {"paused": True, "reason": "lunch", "updated_by": ledger.info.user},
        {"workers": None, "updated_by": "ana"},
    ]


@pytest.mark.parametrize("name", ["workers", "chunk_rows"])
def test_control_refuses_less_than_one(ledger: Connection[Any], name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be 1 or more, not 0"):
        control.set(ledger, "p", **{name: 0})  # type: ignore[arg-type]
    assert control.get(ledger, "p") == control.Control("p")
