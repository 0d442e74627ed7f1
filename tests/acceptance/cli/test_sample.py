"""`lockgate sample`, as cron runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.shop import Shop

PLAN = """\
plan: retiring
phases:
  - id: setup
    steps: [{sql: SELECT 1}]
  - id: retire
    before: [{unwritten: {tables: [old.*], for: 30d}}]
    steps: [{sql: SELECT 1}]
"""


def test_samples_are_taken_and_the_gate_waits_for_time(shop: Shop, tmp_path: Path) -> None:
    plan = tmp_path / "retiring"
    plan.mkdir()
    (plan / "plan.yaml").write_text(PLAN)
    shop.run("apply", str(plan), "--to", "setup")
    assert shop.run("sample", str(plan)).stdout == "2 tables sampled.\n"
    told = json.loads(shop.run("sample", str(plan), "--format", "json").stdout)
    assert [(one["schema_name"], one["table_name"]) for one in told["samples"]] == [
        ("old", "customers"),
        ("old", "orders"),
    ]
    assert told["not_there"] == told["not_counted"] == []
    refused = shop.run("apply", str(plan), code=5)
    assert "cannot be told before" in refused.stderr
