"""What `lockgate demo` prints, without running one."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lockgate.demo.party_model
from lockgate.cli.commands.demo import _told
from lockgate.cli.main import cli
from lockgate.demo import DemoOptions, DemoResult
from lockgate.demo.canary import Waits
from lockgate.demo.hardened import HardenedResult
from lockgate.demo.journal import Latency
from lockgate.demo.result import Account, Ending, PlainResult
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress

RESULT = DemoResult(
    scale=0.02,
    seed=1,
    requests=3054,
    failed_requests=0,
    acknowledged_writes=3342,
    lost_writes=0,
    source_rows=100,
    migrated=97,
    merged=2,
    rejected=1,
    born_in_new_model=26,
    unexplained_rows=0,
    load_rows=12,
    backfill_rows_per_second=9583.2,
    latency={name: Latency(10, 0, 1.0, 7.9, 12.0) for name in ("before", "during", "after")},
    phases_done=4,
    phases_planned=4,
    checks_failed=(),
    accounts=(Account("contacts", 100, 97, 2, 1, {"empty": 1}, 26, 0, 12),),
    differences=(),
    lost=(),
    failures=(),
    seconds={"plan": 10.0},
    report_md=Path("demo/report.md"),
    report_json=Path("demo/report.json"),
    kept=None,
    writers_held_ms=233,
    ending=None,
    phases_wanted=4,
)


def demo(monkeypatch: pytest.MonkeyPatch, result: DemoResult, *words: str) -> tuple[Result, DemoOptions]:
    seen: list[DemoOptions] = []

    def run(options: DemoOptions, progress: Progress, *, clock: Clock, stop: threading.Event) -> DemoResult:
        seen.append(options)
        progress.event("starting a PostgreSQL server")
        return result

    monkeypatch.setattr(lockgate.demo.party_model, "run", run)
    return CliRunner().invoke(cli, ["demo", *words], prog_name="lockgate"), seen[0]


def test_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, options = demo(monkeypatch, RESULT, "--scale", "0.1", "--seed", "7", "--keep")
    assert (options.scale, options.seed, options.keep, options.database) == (0.1, 7, True, None)
    assert shown.exit_code == 0
    assert "starting a PostgreSQL server" in shown.stdout
    assert "Phases: 4 of 4 done" in shown.stdout
    assert "contacts     100        97       2         1    26            0           12" in shown.stdout
    said = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "writes lost 0" in said
    assert "writers waited for the cutover, at most 233.0 ms" in said
    assert "Report: demo/report.md" in shown.stdout
    assert shown.stdout.endswith("No request failed, no write was lost, every row is accounted for.\n")


def test_a_program_gets_one_object_and_people_see_the_rest_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = demo(monkeypatch, RESULT, "--format", "json")
    found: dict[str, Any] = json.loads(shown.stdout)
    wanted = {
        "requests", "failed_requests", "acknowledged_writes", "lost_writes", "source_rows", "migrated", "merged",
        "rejected", "born_in_new_model", "unexplained_rows", "load_rows", "backfill_rows_per_second", "p99_ms_before",
        "p99_ms_during", "phases_done", "phases_planned",
    }  # fmt: skip
    assert wanted <= set(found)
    assert found["p99_ms_before"] == 7.9
    assert "starting a PostgreSQL server" in shown.stderr


def test_what_became_of_the_old_model_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ending = Ending(days_passed=124, foreign_keys_gone=12, gone=("core.entities",), logged=8)
    shown, options = demo(monkeypatch, replace(RESULT, ending=ending), "--to-end")
    assert options.to_end
    said = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert {"days that were let pass 124", "foreign keys to core.entities that are gone 12"} <= set(said)
    assert "gone: core.entities" in said


def test_a_lost_write_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = demo(monkeypatch, replace(RESULT, lost_writes=1, differences=("parties: 3, not 4",)))
    assert shown.exit_code == 1
    assert "DIFFERENT: parties: 3, not 4" in shown.stdout
    assert "Something is not as it must be" in shown.stdout


def test_a_scale_of_nothing_is_refused() -> None:
    shown = CliRunner().invoke(cli, ["demo", "--scale", "0"], prog_name="lockgate")
    assert shown.exit_code == 2
    assert "'--scale'" in shown.stderr


def test_a_system_that_is_not_there_is_answered_with_those_that_are() -> None:
    shown = CliRunner().invoke(cli, ["demo", "party"], prog_name="lockgate")
    assert shown.exit_code != 0
    assert "party-model" in shown.output


def test_a_demo_without_a_service_tells_of_its_writes() -> None:
    result = PlainResult(
        system="shop", scale=1, seed=1, phases_done=2, phases_planned=2, checks_failed=(), unexplained_rows=0,
        acknowledged_writes=1200, failed_writes=0, lost_writes=0, figures={"orders": 5000, "slowest": "3 ms"},
        differences=(), seconds={}, report_md=Path("r.md"), report_json=Path("r.json"), kept=None,
    )  # fmt: skip
    said = [" ".join(line.split()) for line, _ in _told(result)]
    assert {"Phases: 2 of 2 done", "writes acknowledged 1,200", "orders 5,000", "slowest 3 ms"} <= set(said)
    assert result.as_json()["holds"]
    assert result.as_json()["report_md"] == "r.md"
    assert not replace(result, phases_done=1).holds
    assert not replace(result, failed_writes=1).holds
    assert not replace(result, checks_failed=("orders: 3, not 4",)).holds


def test_the_hardening_tells_who_waited_and_what_was_skipped() -> None:
    result = HardenedResult(
        system="hardening", scale=1, seed=1, phases_done=7, phases_planned=7, checks_failed=(), unexplained_rows=0,
        acknowledged_writes=1200, failed_writes=0, lost_writes=0, figures={"seconds online": 31.5},
        differences=(), seconds={}, report_md=Path("r.md"), report_json=Path("r.json"), kept=None,
        quarantined=1522, duplicates_left=0, constraints_added=3, indexes_added=7, tables_touched=("core.entities",),
        foreign_keys_skipped={"fk_property_type": "ref.property_types does not exist yet"}, online_seconds=31.5,
        offline_seconds=12.25, waits={"core.entities": Waits(reads=10, read_ms=1.5, writes=9, write_ms=44.4)},
    )  # fmt: skip
    said = [" ".join(line.split()) for line, _ in _told(result)]
    assert "core.entities 1.5 ms 44.4 ms" in said
    assert "Skipped: fk_property_type: ref.property_types does not exist yet" in said
    found = json.loads(json.dumps(result.as_json()))
    assert (found["quarantined"], found["constraints_added"], found["indexes_added"]) == (1522, 3, 7)
    assert found["waits"]["core.entities"]["write_ms"] == 44.4
    assert found["holds"]
