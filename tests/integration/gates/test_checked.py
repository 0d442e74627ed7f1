"""The gate that asks for hazards of what its phase would run."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from lockgate.cli.main import cli
from lockgate.engine import runner
from lockgate.errors import GateRefused
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import one, rows, sessions, write_plan
from tests.integration.migrating.test_migrate_step import project

PLAN = """
phases:
  - id: before
    steps: [{{sql: UPDATE t SET y = 1}}]
  - id: change
    before: [{gate}]
    steps: [{{sql: change.sql}}]
"""
HARMFUL = "ALTER TABLE t ADD CONSTRAINT positive CHECK (x > 0);"


def ask(
    dsn: str, folder: Path, sql: str, gate: str = "checked: {}", table: str = "CREATE TABLE t (x int, y int)"
) -> None:
    """Run a plan whose second phase has this SQL."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS t")
        for statement in table.split(";"):
            conn.execute(statement.encode())
    runner.apply(write_plan(folder, PLAN.format(gate=f"{{{gate}}}"), change=sql), sessions(dsn))


def test_a_hazard_keeps_it_closed_and_is_named_with_its_place(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(
        GateRefused, match=r"2 hazards: .*change\.sql:1:\d+: LG406 .*; .*change\.sql:1:\d+: LG423 .*fails"
    ) as caught:
        ask(dsn, tmp_path, HARMFUL, table="CREATE TABLE t (x int, y int); INSERT INTO t VALUES (-1)")
    assert "lockgate check" in str(caught.value.hint)
    assert rows(dsn, "SELECT conname FROM pg_constraint WHERE conname = 'positive'") == []
    [(found, passed)] = rows(
        dsn,
        "SELECT payload->'result'->'findings', payload->'result'->'passed' FROM lockgate.chain "
        "WHERE payload->>'name' = 'checked:change'",
    )
    assert (passed, [each["severity"] for each in found][:1]) == (False, ["high"])
    assert {each["tier"] for each in found} >= {"data"}, "the rows were looked at"


def test_what_is_in_another_phase_is_not_looked_at(dsn: str, tmp_path: Path) -> None:
    # The UPDATE without WHERE in the first phase would be a finding, and is done when the gate is asked.
    ask(dsn, tmp_path, "ALTER TABLE t ADD z int", "checked: {fail_on: low}")
    assert one(dsn, "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'z'") == 1


def test_a_lesser_finding_is_told_and_lets_through(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="LG802"):
        ask(dsn, tmp_path, "UPDATE t SET y = 2", "checked: {fail_on: medium}")
    ask(dsn, tmp_path / "again", "CREATE TABLE z (id serial PRIMARY KEY)")
    assert "lesser finding" in str(
        one(dsn, "SELECT payload->>'what' FROM lockgate.chain WHERE kind = 'gate' AND payload->>'passed' = 'true'")
    )


def test_an_answer_in_the_sql_opens_it(dsn: str, tmp_path: Path) -> None:
    ask(
        dsn,
        tmp_path,
        "-- lockgate: ignore LG802 because the table has one row\nUPDATE t SET y = 2",
        "checked: {fail_on: medium}",
    )
    query = "SELECT payload->'result'->>'ignored' FROM lockgate.chain WHERE payload->>'name' = 'checked:change'"
    assert one(dsn, query) == "1"


def test_migrations_that_the_phase_would_apply_are_looked_at(dsn: str, tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        {"0001_one.up": "CREATE TABLE t (x int);", "0002_two.up": "DROP TABLE elsewhere;"},
        "migrations: {path: ../migrations, tool: sqlx}\n"
        "phases: [{id: move, before: [checked: {}], steps: [{migrate: '2'}]}]\n",
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE elsewhere AS SELECT 1")
    with pytest.raises(GateRefused, match=r"0002_two\.up\.sql:1:1: LG\d+ .*elsewhere"):
        runner.apply(loaded, sessions(dsn))
    assert one(dsn, "SELECT to_regclass('public.t')") is None


def test_a_catalog_that_is_locked_keeps_it_closed(dsn: str, tmp_path: Path) -> None:
    loaded = write_plan(
        tmp_path,
        "phases: [{id: change, before: [checked: {}], steps: [{sql: ALTER TABLE t VALIDATE CONSTRAINT c}]}]",
    )
    with psycopg.connect(dsn) as conn:
        conn.execute("CREATE TABLE t (x int); ALTER TABLE t ADD CONSTRAINT c CHECK (x > 0) NOT VALID")
        conn.commit()
        conn.execute("LOCK TABLE t")
        with pytest.raises(GateRefused, match="its hazards are not known: The catalog cannot be read now"):
            runner.apply(loaded, sessions(dsn))


def test_an_approval_shows_the_hazards_and_keeps_them(dsn: str, tmp_path: Path) -> None:
    write_plan(tmp_path, "phases: [{id: go, before: [approval: {}], steps: [{sql: DROP TABLE t}]}]")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t AS SELECT 1")
    arguments = ["approve", "--by", "Ana", "--yes", "--plan", str(tmp_path), "--database", dsn]
    said = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert "high LG" in said.output
    (code,) = {word for word in said.output.split() if word.startswith("LG")}
    kept = one(dsn, "SELECT payload->'findings'->0->>'code' FROM lockgate.chain WHERE kind = 'approval'")
    assert kept == code
    runner.apply(load_plan(tmp_path), sessions(dsn))
    report = CliRunner().invoke(cli, ["report", "--plan", str(tmp_path), "--database", dsn], catch_exceptions=False)
    assert f"knowing of {code}" in report.output
