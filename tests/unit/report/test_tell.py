"""Entries of the chain as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.report import tell
from tests.unit.report.chains import Chain


def told(kind: str, phase: str | None = None, step: str | None = None, /, **payload: Any) -> str:
    chain = Chain()
    chain.add(kind, phase, step, **payload)
    return tell.sentence(chain.entries[0])


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        (
            told("approval", "a", by="Ana", digest="0123456789abcdef", fingerprint="fedcba9876543210"),
            "Ana approved phase a (plan 0123456789ab..., schema fedcba987654...)",
        ),
        (told("control", paused=True, reason="sale", updated_by="ops"), "ops paused the plan: sale"),
        (told("control", paused=False, updated_by="ops"), "ops let the plan go on"),
        (
            told("control", workers=2, chunk_rows=None, updated_by="ops"),
            "ops set workers to 2 and set rows a chunk to what the throttle finds",
        ),
        (told("run", state="started", command="apply"), "`lockgate apply` began"),
        (
            told("run", state="ended", command="apply", outcome="gate_refused", error="Closed"),
            "`lockgate apply` ended: gate refused: Closed",
        ),
        (told("gate", "a", asks="room", passed=False), "gate of a: room: does not hold"),
        (told("check", "a", asks="room", passed=True, again=True), "check of a, asked again: room: holds"),
        (told("phase", "a", state="done", digest="x"), "phase a: done"),
        (
            told("phase", "a", state="failed", error="It broke", where="plan.yaml:1:1", why=None),
            "phase a: failed: plan.yaml:1:1: It broke",
        ),
        (told("step", "a", "fill", state="done", kind="map", summary="10 rows"), "step a/fill: done: 10 rows"),
        (told("undo", "a", state="undone"), "phase a: taken back"),
        (told("undo", "a", "fill", summary="rows taken back", facts={}), "step a/fill: taken back: rows taken back"),
        (
            told("undo", "a", state="undoing", lose_rows=True, losses=[["t", 2, "born"]]),
            "phase a: is taken back (lose rows yes, losses t 2 born)",
        ),
        (told("event", "a", "fill", what="retried", attempts=2), "step a/fill: retried (attempts 2)"),
    ],
)
def test_sentences(sentence: str, wanted: str) -> None:
    assert sentence == wanted


@pytest.mark.parametrize(
    ("kind", "payload", "is_event"),
    [
        ("event", {}, True),
        ("control", {}, True),
        ("run", {"state": "started"}, False),
        ("run", {"state": "ended", "outcome": "done"}, False),
        ("run", {"state": "ended", "outcome": "interrupted"}, True),
        ("gate", {"passed": False}, True),
        ("gate", {"passed": True}, False),
        ("phase", {"state": "failed"}, True),
        ("phase", {"state": "done"}, False),
        ("step", {"state": "failed"}, True),
        ("evidence", {}, False),
    ],
)
def test_what_is_remarkable(kind: str, payload: dict[str, Any], is_event: bool) -> None:
    chain = Chain()
    chain.add(kind, "a", **payload)
    assert tell.remarkable(chain.entries[0]) is is_event


def test_numbers_and_flat_facts() -> None:
    assert [tell.number(v) for v in (1234567, 1.5, 0.12345, True, None, "x")] == [
        "1,234,567", "1.5", "0.123", "yes", "-", "x",
    ]  # fmt: skip
    facts = {"rows_read": 10, "by": {"a": 1}, "list": [1, 2], "none": [], "chunks_digest": "abc"}
    assert tell.flat(facts) == "rows read 10, by.a 1, list 1; 2, none none"
