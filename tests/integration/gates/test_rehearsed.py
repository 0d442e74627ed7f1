"""The gate that asks for a rehearsal, and the command that records one."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from lockgate.cli.main import cli
from lockgate.engine import runner
from lockgate.engine.clock import ForwardedClock, SystemClock
from lockgate.errors import GateRefused, PlanChanged
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import one, sessions, write_plan

PLAN = """
phases:
  - id: widen
    before: [{rehearsed: {within: 7d}}]
    steps: [{sql: "ALTER TABLE t ADD y int"}]
    undo: [{sql: "ALTER TABLE t DROP COLUMN y"}]
  - id: fill
    steps: [{sql: "UPDATE t SET y = x"}]
"""


@pytest.fixture
def table(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 500); ANALYZE t")
    return dsn


def rehearse(dsn: str, folder: Path, *more: str) -> Result:
    arguments = ["rehearse", str(folder), "--database", dsn, "--on", dsn, "--rows", "50", "--format", "json", *more]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_only_a_recorded_rehearsal_opens_it(table: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    with pytest.raises(GateRefused, match="no rehearsal of this plan is recorded") as caught:
        runner.apply(loaded, sessions(table))
    assert "--record" in str(caught.value.hint)


def test_after_one_the_plan_runs_and_says_how_long_it_would_take(table: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    assert rehearse(table, tmp_path).exit_code == 0
    assert one(table, "SELECT count(*) FROM lockgate.chain") == 0, "without --record nothing is written"
    said = rehearse(table, tmp_path, "--record")
    assert said.exit_code == 0, said.output
    shown = CliRunner().invoke(cli, ["plan", str(tmp_path), "--database", table, "--format", "json"])
    plan = json.loads(shown.output)
    assert plan["phases"][0]["gates"][0]["open"] is True
    foretold = {each["step"]: each["production_seconds"] for each in json.loads(said.output.splitlines()[-1])["steps"]}
    assert plan["phases"][1]["steps"][0]["seconds"] == foretold["sql-1"]
    text = CliRunner().invoke(cli, ["plan", str(tmp_path), "--database", table]).output
    assert "by the rehearsal of this plan" in text
    runner.apply(loaded, sessions(table))
    assert one(table, "SELECT sum(y) FROM t") == 125250
    report = CliRunner().invoke(cli, ["report", "--plan", str(tmp_path), "--database", table])
    assert "rehearsed on PostgreSQL" in report.output


def test_a_changed_plan_is_another_one(table: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    assert rehearse(table, tmp_path, "--record").exit_code == 0
    changed = write_plan(tmp_path, PLAN.replace("SET y = x", "SET y = 2 * x"))
    with pytest.raises(PlanChanged, match="the plan was changed since it was rehearsed"):
        runner.apply(changed, sessions(table))


def test_a_changed_schema_is_named(table: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    assert rehearse(table, tmp_path, "--record").exit_code == 0
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("ALTER TABLE t ADD stranger text")
    with pytest.raises(PlanChanged, match=r"the schema was changed since the rehearsal .*stranger"):
        runner.apply(loaded, sessions(table))


def test_an_old_one_does_not_do(table: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    assert rehearse(table, tmp_path, "--record").exit_code == 0
    clock = ForwardedClock(SystemClock())
    clock.forward(timedelta(days=7, seconds=1))
    with pytest.raises(GateRefused, match="is older than 7d"):
        runner.apply(loaded, sessions(table), clock=clock)
    clock.forward(timedelta(days=-1))
    runner.apply(load_plan(tmp_path), sessions(table), clock=clock)


def test_one_that_failed_keeps_it_closed_and_says_why(table: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN.replace("DROP COLUMN y", "ALTER x SET DEFAULT 1"))
    assert rehearse(table, tmp_path, "--record").exit_code == 1
    with pytest.raises(GateRefused, match=r"found what must be mended: .*widen"):
        runner.apply(loaded, sessions(table))
