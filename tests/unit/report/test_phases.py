"""The phases of the report, from entries of the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lockgate.report import phases
from lockgate.report.model import Phase
from lockgate.report.visible import HIDDEN
from tests.unit.report.chains import Chain

OUTLINE: Sequence[Mapping[str, Any]] = [
    {
        "id": "a",
        "title": "First",
        "gates": ["there is room"],
        "steps": [{"id": "make", "kind": "sql", "title": None}, {"id": "fill", "kind": "map", "title": "Fill it"}],
        "checks": ["reconcile fill"],
        "undo": 1,
    },
    {"id": "b", "title": None, "gates": [], "steps": [{"id": "more", "kind": "sql"}], "checks": [], "undo": None},
]


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.add("run", state="started", command="apply", digest="d1", description=None, phases=OUTLINE)
    return chain


def collect(chain: Chain, *, show_values: bool = False) -> list[Phase]:
    planned = phases.outline(chain.entries)
    return list(phases.collect(chain.entries, planned, show_values=show_values))


def done(chain: Chain) -> None:
    """Phase a from its gate to its end."""
    chain.evidence("a", "room", {"value": 5, "passed": True})
    chain.add("gate", "a", gate=1, asks="there is room", what="there is room: 5", passed=True)
    chain.add("phase", "a", state="running", **{"from": "pending"})
    chain.add("step", "a", "make", state="done", kind="sql", summary="2 statements", facts={"statements": 2})
    chain.evidence("a", "backfill:fill", {"rows_read": 10}, step="fill")
    chain.add("step", "a", "fill", state="done", kind="map", summary="10 rows", facts={})
    chain.add("phase", "a", state="checking", **{"from": "running"})
    chain.evidence("a", "reconcile:fill", {"missing": 0})
    chain.evidence("a", "accounting:fill", {"source_rows": 10})
    chain.add("check", "a", check=1, asks="reconcile fill", what="no difference", passed=True)
    chain.add("phase", "a", state="done", **{"from": "checking"})


def test_what_was_planned_is_what_the_latest_run_had(chain: Chain) -> None:
    chain.add("run", state="ended", command="apply", outcome="done")
    chain.add("run", state="started", command="apply", digest="d2", description="New.", phases=OUTLINE[:1])
    found = phases.outline(chain.entries)
    assert (found.seq, found.digest, found.description, len(found.phases)) == (3, "d2", "New.", 1)


def test_a_phase_that_has_not_begun_says_what_it_will_ask(chain: Chain) -> None:
    first, second = collect(chain)
    assert (first.state, first.seq, first.started) == ("pending", None, None)
    assert first.asked == ("gate: there is room", "check: reconcile fill")
    assert [step.state for step in first.steps] == ["pending", "pending"]
    assert first.way_back == "derived, then the phase's own SQL"
    assert second.way_back.startswith("none")


def test_a_phase_that_is_done_names_every_entry(chain: Chain) -> None:
    done(chain)
    first = collect(chain)[0]
    assert (first.state, first.seq) == ("done", 12)
    assert first.started is not None
    assert first.started.seq == 4
    assert [(gate.seq, gate.evidence, gate.passed) for gate in first.gates] == [(3, (2,), True)]
    assert [(check.seq, check.evidence) for check in first.checks] == [(11, (9, 10))]
    assert [(step.name, step.seq, step.evidence, step.title) for step in first.steps] == [
        ("make", 5, (), None),
        ("fill", 7, (6,), "Fill it"),
    ]
    assert first.asked == ()


def test_the_last_word_of_a_check_counts(chain: Chain) -> None:
    done(chain)
    chain.add("check", "a", check=1, asks="reconcile fill", what="3 rows missing", passed=False)
    assert [(check.seq, check.passed) for check in collect(chain)[0].checks] == [(13, False)]


def test_a_run_that_goes_on_does_not_begin_the_phase_again(chain: Chain) -> None:
    chain.add("phase", "a", state="running", **{"from": "pending"})
    chain.add("phase", "a", state="running", **{"from": "running"})
    started = collect(chain)[0].started
    assert started is not None
    assert started.seq == 2


def test_what_was_before_an_undo_is_history(chain: Chain) -> None:
    done(chain)
    chain.add("undo", "a", state="undoing", **{"from": "done"})
    chain.add("undo", "a", "fill", summary="rows taken back", facts={})
    chain.add("undo", "a", state="undone", **{"from": "undoing"})
    first = collect(chain)[0]
    assert (first.state, first.seq, first.gates, first.checks) == ("undone", 15, (), ())
    assert [step.state for step in first.steps] == ["pending", "pending"]
    chain.add("phase", "a", state="running", **{"from": "undone"})
    started = collect(chain)[0].started
    assert started is not None
    assert started.seq == 16


def test_a_phase_that_the_plan_no_longer_has_is_still_told(chain: Chain) -> None:
    chain.add("phase", "gone", state="running", **{"from": "pending"})
    assert [phase.name for phase in collect(chain)] == ["a", "b", "gone"]


def test_a_value_of_a_row_is_not_in_the_words_of_a_verdict(chain: Chain) -> None:
    chain.evidence("a", "who", {"value": "ana@example.com", "expected": "bob@example.com", "passed": False})
    chain.add("gate", "a", gate=1, asks="who is it", what="who is it: ana@example.com", passed=False)
    assert collect(chain)[0].gates[0].what == f"who is it: {HIDDEN}"
    assert collect(chain, show_values=True)[0].gates[0].what == "who is it: ana@example.com"
