"""The checks of a phase: what the plan says, and what is never left out."""

from __future__ import annotations

from lockgate.plan.models import Phase


def _phase(after: list[dict[str, object]]) -> Phase:
    mapping = {"into": "new.t", "key": ["id"], "from": "old.t", "select": "SELECT t.id FROM old.t t"}
    return Phase.model_validate(
        {"id": "p", "steps": [{"map": "a", **mapping}, {"map": "b", **mapping}], "after": after}
    )


def test_each_mapping_is_reconciled_though_the_plan_does_not_ask() -> None:
    assert [check.model_dump(exclude_none=True) for check in _phase([]).checks] == [
        {"reconcile": "a"},
        {"reconcile": "b"},
    ]


def test_a_reconcile_that_the_plan_asks_for_is_made_once_and_where_it_stands() -> None:
    checks = _phase([{"reconcile": "b"}, {"query": "SELECT 1", "equals": 1}]).checks
    assert [getattr(check, "reconcile", "query") for check in checks] == ["b", "query", "a"]
