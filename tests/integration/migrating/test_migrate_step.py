"""The ``migrate`` step, by sqlx's files; what is particular to other tools is tested with them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.rollback import rollback
from lockgate.errors import DatabaseError, LockgateError, PlanChanged, PlanError, RollbackRefused
from lockgate.history.base import Home
from lockgate.history.files import HistoryError
from lockgate.history.sqlx import Sqlx
from lockgate.plan.load import LoadedPlan, load_plan
from tests.integration.engine.plans import Told, one, rows, sessions, write_plan
from tests.killing import call
from tests.waiting import wait_until

PLAN = """
settings: {lock_timeout: 200ms, lock_retries: 3}
migrations: {path: ../migrations, tool: sqlx}
phases:
  - id: first
    steps: [{migrate: 1}]
  - id: second
    steps: [{migrate: 3}]
"""
FILES = {
    "0001_things.up": "CREATE TABLE things (id int PRIMARY KEY);",
    "0001_things.down": "DROP TABLE things;",
    "0002_names.up": "ALTER TABLE things ADD COLUMN name text;\nINSERT INTO things VALUES (1, 'one');",
    "0002_names.down": "ALTER TABLE things DROP COLUMN name;",
    "0003_index.up": "-- no-transaction\nCREATE INDEX CONCURRENTLY things_name ON things (name);\nANALYZE things;",
    "0003_index.down": "-- no-transaction\nDROP INDEX CONCURRENTLY things_name;",
}
HISTORY = "SELECT version, description, success, execution_time >= 0 FROM _sqlx_migrations ORDER BY version"


def project(folder: Path, files: Mapping[str, str] = FILES, plan: str = PLAN) -> LoadedPlan:
    migrations = folder / "migrations"
    migrations.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (migrations / f"{name}.sql").write_text(text)
    return write_plan(folder / "plan", plan)


def apply_folder(dsn: str, folder: str) -> None:
    """What the killed processes of these tests do."""
    runner.apply(load_plan(Path(folder)), sessions(dsn))


def rollback_folder(dsn: str, folder: str) -> None:
    rollback(load_plan(Path(folder)), sessions(dsn), to="@start", lose_rows=True)


def test_files_are_applied_and_the_tools_history_is_as_it_would_write_it(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path)
    runner.apply(loaded, sessions(dsn))
    assert rows(dsn, HISTORY) == [(1, "things", True, True), (2, "names", True, True), (3, "index", True, True)]
    checksum = one(dsn, "SELECT encode(checksum, 'hex') FROM _sqlx_migrations WHERE version = 1")
    assert checksum == _sha384(FILES["0001_things.up"])
    assert one(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_name'::regclass") is True
    told = rows(dsn, "SELECT payload ->> 'name' FROM lockgate.chain WHERE payload ? 'migration' ORDER BY seq")
    assert told == [("0001_things",), ("0002_names",), ("0003_index",)]


def _sha384(text: str) -> str:
    ended = subprocess.run(["sha384sum"], input=text.encode(), capture_output=True, check=True)
    return ended.stdout.decode().split()[0]


def test_what_the_tool_itself_has_applied_is_left_alone_forth_and_back(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path)
    with psycopg.connect(dsn) as conn:
        tool_did = "INSERT INTO _sqlx_migrations VALUES (1, 'things', now(), true, decode(%s, 'hex'), 5)"
        conn.execute(
            "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, "
            "installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, "
            "execution_time bigint NOT NULL)"
        )
        conn.execute(FILES["0001_things.up"].encode())
        conn.execute(tool_did, (_sha384(FILES["0001_things.up"]),))
    runner.apply(loaded, sessions(dsn))
    assert [row[0] for row in rows(dsn, HISTORY)] == [1, 2, 3]
    rollback(loaded, sessions(dsn), to="@start", lose_rows=True)
    assert [row[0] for row in rows(dsn, HISTORY)] == [1]
    assert (
        one(
            dsn,
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0 AND NOT attisdropped",
        )
        == 1
    )


@pytest.mark.parametrize(
    "point",
    [
        "migrate.statement:1",
        "migrate.commit:1",
        "migrate.applied:1",
        "migrate.commit:2",
        "migrate.begun",
        "alone.marked",
        "alone.executed",
        "migrate.piece:1",
        "migrate.advance",
        "migrate.piece:2",
        "migrate.commit:3",
        "migrate.applied:3",
    ],
)
def test_a_kill_anywhere_is_followed_by_the_rest(dsn: str, tmp_path: Path, point: str) -> None:
    project(tmp_path)
    ended = call("tests.integration.migrating.test_migrate_step:apply_folder", dsn, str(tmp_path / "plan"), fault=point)
    assert ended.killed, ended.err
    runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))
    assert rows(dsn, HISTORY) == [(1, "things", True, True), (2, "names", True, True), (3, "index", True, True)]
    assert rows(dsn, "SELECT * FROM things") == [(1, "one")]
    assert one(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_name'::regclass") is True


@pytest.mark.parametrize("point", ["migrate.statement:1", "alone.executed", "migrate.reverted:1", "migrate.commit:3"])
def test_a_kill_while_taking_back_is_followed_by_the_rest(dsn: str, tmp_path: Path, point: str) -> None:
    loaded = project(tmp_path)
    runner.apply(loaded, sessions(dsn))
    name = "tests.integration.migrating.test_migrate_step:rollback_folder"
    ended = call(name, dsn, str(tmp_path / "plan"), fault=point)
    assert ended.killed, ended.err
    rollback(loaded, sessions(dsn), to="@start", lose_rows=True)
    assert rows(dsn, HISTORY) == []
    assert one(dsn, "SELECT to_regclass('things')") is None


def test_a_file_in_parts_that_stopped_in_the_middle_is_half_done_to_the_tool(dsn: str, tmp_path: Path) -> None:
    bad = {**FILES, "0003_index.up": "CREATE INDEX CONCURRENTLY things_name ON things (name);\nSELECT 1 / 0;"}
    loaded = project(tmp_path, bad)
    with pytest.raises(DatabaseError) as raised:
        runner.apply(loaded, sessions(dsn))
    assert raised.value.where == f"{tmp_path}/plan/../migrations/0003_index.up.sql:2:1"
    assert rows(dsn, HISTORY)[-1] == (3, "index", False, False)
    (tmp_path / "migrations/0003_index.up.sql").write_text(bad["0003_index.up"].replace("1 / 0", "1 / 1"))
    runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))
    assert rows(dsn, HISTORY)[-1] == (3, "index", True, True)


def test_a_part_that_is_done_may_not_change(dsn: str, tmp_path: Path) -> None:
    bad = {**FILES, "0003_index.up": "CREATE INDEX CONCURRENTLY things_name ON things (name);\nSELECT 1 / 0;"}
    loaded = project(tmp_path, bad)
    with pytest.raises(DatabaseError):
        runner.apply(loaded, sessions(dsn))
    (tmp_path / "migrations/0003_index.up.sql").write_text("CREATE INDEX CONCURRENTLY other ON things (name);SELECT 1")
    with pytest.raises(PlanChanged, match="Part 1 of 0003_index was done and then changed"):
        runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))


def test_a_failed_transaction_leaves_nothing(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, {**FILES, "0002_names.up": "ALTER TABLE things ADD COLUMN name text;\nSELECT 1 / 0;"})
    with pytest.raises(DatabaseError) as raised:
        runner.apply(loaded, sessions(dsn))
    assert raised.value.where is not None
    assert raised.value.where.endswith("0002_names.up.sql:2:1")
    assert [row[0] for row in rows(dsn, HISTORY)] == [1]
    assert one(dsn, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = 'name'") == 0


def test_what_does_not_fit_is_refused_before_anything_is_done(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path)
    runner.apply(loaded, sessions(dsn), to="first")
    (tmp_path / "migrations/0001_things.up.sql").write_text("CREATE TABLE things (id bigint PRIMARY KEY);")
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO _sqlx_migrations VALUES (0, 'gone', now(), true, '\\x00', 1)")
    with pytest.raises(HistoryError) as raised:
        runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))
    assert "0001_things is changed" in (raised.value.why or "")
    assert "gone is missing" in (raised.value.why or "")
    assert [row[0] for row in rows(dsn, HISTORY)] == [0, 1]


def test_a_phase_whose_migration_has_no_down_script_needs_an_undo(dsn: str, tmp_path: Path) -> None:
    files = {"0001_things": FILES["0001_things.up"]}
    plan = "migrations: {path: ../migrations, tool: sqlx}\nphases:\n  - id: first\n    steps: [{migrate: 1}]\n"
    loaded = project(tmp_path, files, plan)
    runner.apply(loaded, sessions(dsn))
    with pytest.raises(RollbackRefused) as raised:
        rollback(loaded, sessions(dsn))
    assert "have no down script: 0001_things" in (raised.value.why or "")
    loaded = project(tmp_path, files, plan + "    undo: [{sql: DROP TABLE IF EXISTS things}]\n")
    rollback(loaded, sessions(dsn))
    assert rows(dsn, HISTORY) == []
    assert one(dsn, "SELECT to_regclass('things')") is None
    runner.apply(loaded, sessions(dsn))
    assert [row[0] for row in rows(dsn, HISTORY)] == [1]


def test_rows_that_a_down_script_would_drop_are_counted_first(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path)
    runner.apply(loaded, sessions(dsn), to="first")
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO things SELECT generate_series(1, 7)")
    with pytest.raises(RollbackRefused, match="would lose 7 rows"):
        rollback(loaded, sessions(dsn))
    assert one(dsn, "SELECT count(*) FROM things") == 7


def test_the_tool_at_work_is_waited_for(dsn: str, tmp_path: Path) -> None:
    loaded = project(tmp_path)
    told = Told()
    with psycopg.connect(dsn, autocommit=True, application_name="sqlx-runner") as conn:
        (key,) = Sqlx(tmp_path).locks(conn, Home("public", "_sqlx_migrations", False))
        conn.execute("SELECT pg_advisory_lock(%s)", (key,))
        work = threading.Thread(target=runner.apply, args=(loaded, sessions(dsn)), kwargs={"progress": told})
        work.start()
        wait_until(lambda: any("sqlx-runner" in reason for reason, _ in told.waits), 20)
        conn.execute("SELECT pg_advisory_unlock(%s)", (key,))
        work.join()
    assert len(rows(dsn, HISTORY)) == 3


def test_the_plan_covers_the_files_up_to_its_last_version(dsn: str, tmp_path: Path) -> None:
    before = project(tmp_path)
    (tmp_path / "migrations/0004_later.sql").write_text("SELECT 4;")
    assert load_plan(tmp_path / "plan").digest == before.digest
    (tmp_path / "migrations/0002_names.down.sql").write_text("SELECT 2;")
    assert load_plan(tmp_path / "plan").digest != before.digest


def test_a_version_that_is_not_there_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(LockgateError) as raised:
        project(tmp_path, plan=PLAN.replace("migrate: 3", "migrate: 4"))
    assert "There is no migration 4" in raised.value.what
    assert raised.value.where == "plan.yaml:9:23"


def test_a_plan_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="says nothing of a folder"):
        write_plan(tmp_path, "phases: [{id: a, steps: [{migrate: 1}]}]")
