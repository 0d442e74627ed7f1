from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lockgate.demo import DemoResult
from lockgate.demo.journal import Latency
from lockgate.demo.result import Account

GOOD = DemoResult(
    scale=0.01,
    seed=1,
    requests=10,
    failed_requests=0,
    acknowledged_writes=11,
    lost_writes=0,
    source_rows=100,
    migrated=90,
    merged=7,
    rejected=3,
    born_in_new_model=26,
    unexplained_rows=0,
    load_rows=40,
    backfill_rows_per_second=1000.0,
    latency={"before": Latency(4, 0, 1.0, 2.0, 3.0), "during": Latency(6, 0, 1.5, 4.0, 9.0)},
    phases_done=4,
    phases_planned=4,
    checks_failed=(),
    accounts=(Account("parties", 100, 100, 0, 0, {}, 26, 0, 40),),
    differences=(),
    lost=[],
    failures=[],
    seconds={"plan": 1.0},
    report_md=Path("report.md"),
    report_json=Path("report.json"),
    kept=None,
    writers_held_ms=233,
    ending=None,
    phases_wanted=4,
)


def test_the_object_has_what_was_promised() -> None:
    written = json.loads(json.dumps(GOOD.as_json()))
    promised = {
        "requests": 10,
        "failed_requests": 0,
        "acknowledged_writes": 11,
        "lost_writes": 0,
        "source_rows": 100,
        "migrated": 90,
        "merged": 7,
        "rejected": 3,
        "born_in_new_model": 26,
        "unexplained_rows": 0,
        "load_rows": 40,
        "backfill_rows_per_second": 1000.0,
        "p99_ms_before": 2.0,
        "p99_ms_during": 4.0,
        "phases_done": 4,
        "phases_planned": 4,
        "holds": True,
    }
    assert {name: written[name] for name in promised} == promised


@pytest.mark.parametrize(
    "change",
    [
        {"failed_requests": 1},
        {"lost_writes": 1},
        {"unexplained_rows": 1},
        {"migrated": 89},
        {"phases_done": 3},
        {"checks_failed": ("parties: 1 different",)},
        {"differences": ("contacts: 1, not 2",)},
    ],
)
def test_one_thing_that_is_wrong_is_enough(change: dict[str, Any]) -> None:
    assert GOOD.holds
    assert not replace(GOOD, **change).holds
