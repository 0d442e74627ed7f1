"""Rows that the plan made of its own text are nobody's loss when it drops their table again; others are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.engine import runner
from tests.conftest import StartServer
from tests.integration.engine.plans import one, sessions, write_plan
from tests.integration.engine.test_lost_rows import prospect, refused, rollback, run

KINDS = """
CREATE SCHEMA new;
CREATE TABLE new.kinds (id int PRIMARY KEY, name text, made timestamptz NOT NULL DEFAULT now());
INSERT INTO new.kinds (id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three');
"""
PLAN = "phases: [{id: one, steps: [{sql: make.sql}], undo: [{sql: DROP SCHEMA new CASCADE}]}]"
LOST = "rows, dropped by the undo of one, and not known to be the plan's own"


def apply(dsn: str, folder: Path, make: str = KINDS) -> None:
    runner.apply(write_plan(folder, PLAN, make=make), sessions(dsn))


@pytest.mark.parametrize(
    "meanwhile",
    [
        (),
        ("ANALYZE new.kinds", "VACUUM FREEZE new.kinds", "VACUUM FULL new.kinds"),
        (
            "CREATE INDEX ON new.kinds (name)",
            "GRANT SELECT ON new.kinds TO PUBLIC",
            "DELETE FROM new.kinds WHERE id = 1",
        ),
        ("SELECT FROM new.kinds FOR UPDATE", "ALTER TABLE new.kinds RENAME TO sorts"),
    ],
)
def test_rows_that_the_plan_made_itself_are_not_lost(dsn: str, tmp_path: Path, meanwhile: tuple[str, ...]) -> None:
    apply(dsn, tmp_path)
    run(dsn, *meanwhile)
    assert prospect(dsn, tmp_path, PLAN).losses == []
    rollback(dsn, tmp_path, PLAN)
    assert one(dsn, "SELECT to_regnamespace('new')") is None


def test_rows_that_the_application_wrote_are(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    run(dsn, "UPDATE new.kinds SET name = 'mine' WHERE id = 2", "INSERT INTO new.kinds VALUES (4, 'four')")
    assert f"lose 2 rows: new.kinds: 2 {LOST}" in refused(dsn, tmp_path, PLAN)
    rollback(dsn, tmp_path, PLAN, lose_rows=True)


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (f"{KINDS}; INSERT INTO new.kinds SELECT id, name FROM old.a", 5),
        (f"{KINDS}; CREATE TABLE new.kept AS TABLE old.a", 5),
        (f"{KINDS}; UPDATE new.kinds SET name = upper(name)", 3),
        (f"{KINDS}; SAVEPOINT s; INSERT INTO new.kinds VALUES (4, 'four')", 4),
        (f"{KINDS}; ALTER TABLE new.kinds ALTER id TYPE bigint", 3),
    ],
)
def test_rows_that_may_be_of_other_tables_are(dsn: str, tmp_path: Path, make: str, rows: int) -> None:
    """Perhaps the rows that they were copied from are gone."""
    run(dsn, "CREATE SCHEMA old; CREATE TABLE old.a AS SELECT n AS id, 'a' AS name FROM generate_series(11, 12) AS n")
    apply(dsn, tmp_path, make)
    assert f"lose {rows} rows" in refused(dsn, tmp_path, PLAN)


@pytest.mark.parametrize(
    "meanwhile",
    [
        ("ALTER TABLE new.kinds ALTER id TYPE bigint",),
        ("CREATE TABLE new.copy AS TABLE new.kinds", "DROP TABLE new.kinds"),
        ("CREATE TABLE new.more () INHERITS (new.kinds)", "INSERT INTO new.more SELECT id + 5 FROM ONLY new.kinds"),
    ],
)
def test_rows_that_were_written_anew_are(dsn: str, tmp_path: Path, meanwhile: tuple[str, ...]) -> None:
    apply(dsn, tmp_path)
    run(dsn, *meanwhile)
    assert f"3 {LOST}" in refused(dsn, tmp_path, PLAN)


def test_rows_of_a_table_that_was_there_are(dsn: str, tmp_path: Path) -> None:
    """Whoever made the table may have triggers on it that write what the plan does not say."""
    run(dsn, "CREATE SCHEMA new; CREATE TABLE new.kinds (id int, name text, made timestamptz DEFAULT now())")
    apply(dsn, tmp_path, KINDS.replace("SCHEMA", "SCHEMA IF NOT EXISTS").replace("TABLE", "TABLE IF NOT EXISTS"))
    assert f"lose 3 rows: new.kinds: 3 {LOST}" in refused(dsn, tmp_path, PLAN)


def test_rows_that_are_emptied_with_them_are(dsn: str, tmp_path: Path) -> None:
    """A truncation goes on to all tables that refer to the one that it names, and to those that refer to them."""
    text = PLAN.replace("DROP SCHEMA new CASCADE", "TRUNCATE new.kinds CASCADE")
    apply(dsn, tmp_path)
    run(
        dsn,
        "CREATE TABLE new.things (id int PRIMARY KEY, kind int REFERENCES new.kinds)",
        "CREATE TABLE new.parts (thing int REFERENCES new.things)",
        "INSERT INTO new.things VALUES (1, 1), (2, NULL); INSERT INTO new.parts VALUES (1)",
    )
    said = refused(dsn, tmp_path, text)
    assert "lose 3 rows" in said
    assert f"new.things: 2 {LOST}" in said
    assert f"new.parts: 1 {LOST}" in said


def test_numbers_of_another_server_say_nothing(dsn: str, tmp_path: Path) -> None:
    """Its tables may have been copied here, and the ledger with them."""
    apply(dsn, tmp_path)
    run(dsn, "UPDATE lockgate.steps SET detail = jsonb_set(detail, '{seeds,server}', '\"1\"') WHERE detail ? 'seeds'")
    assert f"lose 3 rows: new.kinds: 3 {LOST}" in refused(dsn, tmp_path, PLAN)


def test_numbers_that_have_come_round_say_nothing(own_server: StartServer, tmp_path: Path) -> None:
    """After four billion transactions, one of the application's has the number of the plan's."""
    server = own_server()
    apply(server.dsn(), tmp_path)
    assert prospect(server.dsn(), tmp_path, PLAN).losses == []
    server.stop()
    words = [str(server.bin / "pg_resetwal"), "-e", "1", "-D", str(server.data)]
    subprocess.run(words, check=True, capture_output=True, user=server.data.stat().st_uid, cwd="/")
    server.start()
    assert [(loss.table, loss.rows) for loss in prospect(server.dsn(), tmp_path, PLAN).losses] == [("new.kinds", 3)]
