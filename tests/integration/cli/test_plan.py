"""``lockgate plan`` on a database that Lockgate has never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from lockgate.cli.main import cli
from tests.integration.engine.plans import write_plan

GATES = {
    "approval: {}": "phase go needs 1 approval and has 0",
    "rehearsed: {within: 7d}": "no rehearsal of this plan is recorded here",
    "checked: {}": "no hazard in 1 statement",
    "unused: {tables: [public.t], for: 1d}": "there is no sample yet of public.t",
    "unwritten: {tables: [public.t], for: 1d}": "there is no sample yet of public.t",
    "backup: {within: 1d}": "there is no backup of this database",
    "query: SELECT 1": "SELECT 1",
}


@pytest.mark.parametrize("gate", GATES)
def test_every_gate_answers_before_there_is_a_ledger(
    conn: psycopg.Connection[Any], dsn: str, tmp_path: Path, gate: str
) -> None:
    conn.execute("CREATE TABLE t (x int)")
    more = ", equals: 1" if gate.startswith("query") else ""
    write_plan(tmp_path, f"phases: [{{id: go, before: [{{{gate}{more}}}], steps: [{{sql: ALTER TABLE t ADD y int}}]}}]")
    said = CliRunner().invoke(cli, ["plan", str(tmp_path), "--database", dsn], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert GATES[gate] in said.output
    assert "ACCESS EXCLUSIVE on public.t" in said.output
    found = conn.execute("SELECT to_regnamespace('lockgate')").fetchone()
    assert found == (None,), "something was written"
