"""What the report may show of a fact: numbers, names and verdicts; values of rows only when asked."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.report.visible import HIDDEN, hides, result


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        ({"value": 12, "expected": "12", "passed": True}, {"value": 12, "expected": "12", "passed": True}),
        ({"value": 1.5, "expected": "at least 1"}, {"value": 1.5, "expected": "at least 1"}),
        ({"value": "ana@example.com"}, {"value": HIDDEN}),
        ({"value": "12 Elm Street"}, {"value": HIDDEN}),
        ({"examples": [{"id": 7}], "missing": 1}, {"examples": HIDDEN, "missing": 1}),
        ({"examples": []}, {"examples": []}),
        ({"problems": ["table a.b is not there"]}, {"problems": ["table a.b is not there"]}),
        ({"rejected_by_reason": {"no address": 3}}, {"rejected_by_reason": {"no address": 3}}),
        ({"anything": {"nested": ["a name"]}}, {"anything": {"nested": [HIDDEN]}}),
        ({"value": None}, {"value": None}),
        ({"value": {"state": "ill"}, "expected": {"state": "well"}}, {"value": HIDDEN, "expected": HIDDEN}),
        ({"value": ["ana", 7]}, {"value": HIDDEN}),
        ({"snapshot_at": "2026-01-31T12:00:00.000000Z"}, {"snapshot_at": "2026-01-31T12:00:00.000000Z"}),
    ],
)
def test_values_of_rows_are_hidden(fact: dict[str, Any], shown: dict[str, Any]) -> None:
    assert result(fact, show_values=False) == shown
    assert hides(fact) is (fact != shown)
    assert result(fact, show_values=True) == fact


def test_a_query_plan_loses_its_literals_and_keeps_its_names() -> None:
    plan = {
        "Node Type": "Index Scan",
        "Index Name": "orders_2024_pkey",
        "Index Cond": "((o.id = 42) AND (o.name = 'O''Hara'::text) AND (o.at > $1))",
        "Plan Rows": 3,
    }
    assert result({"plan": plan}, show_values=False)["plan"] == {
        "Node Type": "Index Scan",
        "Index Name": "orders_2024_pkey",
        "Index Cond": "((o.id = ?) AND (o.name = ?::text) AND (o.at > $1))",
        "Plan Rows": 3,
    }
