"""What Lockgate writes, Prisma's own engine calls up to date, and the other way round."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.rollback import rollback
from lockgate.errors import DatabaseError
from lockgate.history.files import HistoryError
from lockgate.plan.load import LoadedPlan, load_plan
from tests.conformance.packages import node_modules
from tests.integration.engine.plans import one, rows, sessions

PACKAGES = (
    "@prisma/schema-engine-wasm@7.10.0-7.561d7b42579a2459cc8edf3788918b626c640023",
    "@prisma/adapter-pg@7.10.1",
    "@prisma/driver-adapter-utils@7.10.1",
)
FIRST, SECOND = "20260101000000_things", "20260102000000_names"
FILES = {
    f"{FIRST}/migration.sql": 'CREATE TABLE "Thing" (id int PRIMARY KEY)',
    f"{FIRST}/rollback.sql": 'DROP TABLE "Thing"',
    f"{SECOND}/migration.sql": 'ALTER TABLE "Thing" ADD COLUMN "Name" text',
    f"{SECOND}/rollback.sql": 'ALTER TABLE "Thing" DROP COLUMN "Name"',
    "migration_lock.toml": 'provider = "postgresql"\n',
}
PLAN = f"""
plan: shop
settings: {{lock_timeout: 200ms, lock_retries: 3}}
migrations: {{path: ../migrations}}
phases:
  - id: first
    steps: [{{migrate: {FIRST}}}]
  - id: second
    steps: [{{migrate: "20260102000000"}}]
"""


@pytest.fixture(scope="module")
def modules() -> Path:
    return node_modules("prisma", PACKAGES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "migrations" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "plan.yaml").write_text(PLAN)
    return tmp_path


def plan(folder: Path) -> LoadedPlan:
    return load_plan(folder / "plan")


def prisma(modules: Path, dsn: str, folder: Path, *words: str) -> Any:
    """The engine's answer."""
    script = Path(__file__).with_name("engine.mjs")
    command = ["node", str(script), str(modules), dsn, str(folder / "migrations"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def in_order(answer: Any) -> bool:
    return bool(
        answer["hasMigrationsTable"]
        and answer["history"] is None
        and not answer["editedMigrationNames"]
        and not answer["failedMigrationNames"]
    )


def test_what_lockgate_applied_is_up_to_date_for_prisma(modules: Path, dsn: str, folder: Path) -> None:
    runner.apply(plan(folder), sessions(dsn))
    assert in_order(prisma(modules, dsn, folder, "status"))
    assert prisma(modules, dsn, folder, "deploy") == {"appliedMigrationNames": []}


def test_what_prisma_applied_is_up_to_date_for_lockgate(modules: Path, dsn: str, folder: Path) -> None:
    assert prisma(modules, dsn, folder, "deploy") == {"appliedMigrationNames": [FIRST, SECOND]}
    runner.apply(plan(folder), sessions(dsn))
    assert one(dsn, "SELECT count(*) FROM _prisma_migrations") == 2


def test_lockgate_begins_and_prisma_goes_on(modules: Path, dsn: str, folder: Path) -> None:
    runner.apply(plan(folder), sessions(dsn), to="first")
    answer = prisma(modules, dsn, folder, "status")
    assert answer["history"] == {"diagnostic": "databaseIsBehind", "unappliedMigrationNames": [SECOND]}
    assert prisma(modules, dsn, folder, "deploy") == {"appliedMigrationNames": [SECOND]}
    runner.apply(plan(folder), sessions(dsn))
    assert in_order(prisma(modules, dsn, folder, "status"))


def test_the_rows_are_alike(modules: Path, dsn: str, folder: Path) -> None:
    """Lockgate's first and Prisma's second: the same columns are filled, with the same kinds of values."""
    runner.apply(plan(folder), sessions(dsn), to="first")
    prisma(modules, dsn, folder, "deploy")
    shape = """SELECT length(id), length(checksum), finished_at >= started_at, logs, rolled_back_at, applied_steps_count
               FROM _prisma_migrations ORDER BY migration_name"""
    ours, theirs = rows(dsn, shape)
    assert ours == theirs


def test_what_lockgate_took_back_is_pending_for_prisma(modules: Path, dsn: str, folder: Path) -> None:
    runner.apply(plan(folder), sessions(dsn))
    rollback(plan(folder), sessions(dsn), lose_rows=True)
    answer = prisma(modules, dsn, folder, "status")
    assert answer["history"] == {"diagnostic": "databaseIsBehind", "unappliedMigrationNames": [SECOND]}
    assert prisma(modules, dsn, folder, "deploy") == {"appliedMigrationNames": [SECOND]}


def test_what_failed_in_prisma_stops_lockgate_until_it_is_resolved(modules: Path, dsn: str, folder: Path) -> None:
    file = folder / "migrations" / SECOND / "migration.sql"
    good = file.read_text()
    file.write_text("ALTER TABLE nothing ADD x int")
    assert "error" in prisma(modules, dsn, folder, "deploy")
    file.write_text(good)
    with pytest.raises(HistoryError) as raised:
        runner.apply(plan(folder), sessions(dsn))
    assert f"{SECOND} is failed: prisma calls it half done" in (raised.value.why or "")
    prisma(modules, dsn, folder, "rolled-back", SECOND)
    runner.apply(plan(folder), sessions(dsn))
    assert in_order(prisma(modules, dsn, folder, "status"))


def test_what_stopped_half_way_in_lockgate_is_failed_for_prisma(modules: Path, dsn: str, folder: Path) -> None:
    file = folder / "migrations" / SECOND / "migration.sql"
    file.write_text('CREATE INDEX CONCURRENTLY i ON "Thing" (id);\nSELECT 1 / 0;')
    with pytest.raises(DatabaseError) as raised:
        runner.apply(plan(folder), sessions(dsn))
    assert "division by zero" in (raised.value.why or "")
    assert prisma(modules, dsn, folder, "status")["failedMigrationNames"] == [SECOND]
    file.write_text('CREATE INDEX CONCURRENTLY i ON "Thing" (id);\nSELECT 1;')
    runner.apply(plan(folder), sessions(dsn))
    assert in_order(prisma(modules, dsn, folder, "status"))


def test_other_line_ends_are_the_same_file_to_both_and_another_text_is_not(
    modules: Path, dsn: str, folder: Path
) -> None:
    file = folder / "migrations" / FIRST / "migration.sql"
    file.write_bytes(b'CREATE TABLE "Thing"\n(id int PRIMARY KEY)\n')
    runner.apply(plan(folder), sessions(dsn), to="first")
    file.write_bytes(b'CREATE TABLE "Thing"\r\n(id int PRIMARY KEY)\r\n')
    assert not prisma(modules, dsn, folder, "status")["editedMigrationNames"]
    runner.apply(plan(folder), sessions(dsn))
    file.write_bytes(b'CREATE TABLE "Thing"\n(id bigint PRIMARY KEY)\n')
    assert prisma(modules, dsn, folder, "status")["editedMigrationNames"] == [FIRST]
    (folder / "migrations" / "20260103000000_more").mkdir()
    (folder / "migrations" / "20260103000000_more" / "migration.sql").write_text("SELECT 3")
    (folder / "plan" / "plan.yaml").write_text(PLAN + "  - id: third\n    steps: [{migrate: 20260103000000_more}]\n")
    with pytest.raises(HistoryError) as raised:
        runner.apply(plan(folder), sessions(dsn))
    assert f"{FIRST} is changed" in (raised.value.why or "")


def test_marked_applied_by_prisma_is_applied(modules: Path, dsn: str, folder: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FILES[f"{FIRST}/migration.sql"].encode())
    prisma(modules, dsn, folder, "applied", FIRST)
    runner.apply(plan(folder), sessions(dsn))
    assert in_order(prisma(modules, dsn, folder, "status"))
