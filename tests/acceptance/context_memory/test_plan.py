"""The plan of the context memory: what comes of the leads, the way back, and the traps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lockgate.demo import DemoOptions
from lockgate.demo.context_memory import run
from lockgate.engine import runner
from lockgate.engine.clock import SystemClock
from lockgate.engine.rollback import rollback
from lockgate.engine.session import Sessions
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import PlanError, RollbackRefused
from lockgate.plan.load import load_plan
from lockgate.preview import preview
from lockgate.report import collect
from lockgate.systems import system_folder
from systems.context_memory.counts import expected
from systems.context_memory.generate import generate
from tests.databases import Templates

SCALE = 0.001
FOLDER = system_folder("context_memory")
BATCH_1 = "20260112080000_context_memory"


def _generated(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, SCALE)


@pytest.fixture
def template(server_dsn: str, templates: Templates) -> str:
    """The application's database, as it was."""
    return templates.of(server_dsn, _generated)


def sessions(dsn: str) -> Sessions:
    return Sessions(dsn, load_plan(FOLDER / "plan").plan.settings)


def ask(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


@pytest.mark.slow
def test_every_row_of_the_old_model_becomes_what_was_announced(dsn: str) -> None:
    loaded = load_plan(FOLDER / "plan")
    runner.apply(loaded, sessions(dsn))
    figures = expected(SCALE)
    with psycopg.connect(dsn, autocommit=True) as conn:
        report = collect(conn, "context-memory")
        with conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute((FOLDER / "queries" / "figures.sql").read_bytes()).fetchone()
        conflicts = conn.execute((FOLDER / "queries" / "conflicts.sql").read_bytes()).fetchall()
    assert report.phases_done == report.phases_planned == 4
    accounts = {part.name: part.accounting for part in report.mappings}
    for name, outcome in figures.mappings.items():
        account = accounts[name]
        assert account is not None
        assert account.unexplained_rows == 0
        seen = (account.source_rows, account.migrated, account.merged)
        assert seen == (outcome.source, outcome.migrated, outcome.merged), name
        assert {reason: rows for reason, rows in account.rejected_by_reason.items() if rows} == outcome.rejected, name
    assert found == {
        "customers": figures.customers,
        "conversations": figures.mappings["conversations"].migrated,
        "messages": figures.messages_migrated,
        "leads_of_customers": figures.mappings["lead_customers"].migrated,
        "jobs_of_customers": figures.jobs,
        "conflicts": figures.conflicts,
    }
    assert len(conflicts) == figures.conflicts
    assert all(len(set(phones)) == len(phones) == 2 for _, phones in conflicts)
    # Roles of before have the names of now, and messages their order.
    assert ask(dsn, "SELECT count(*) FROM \"Message\" WHERE role = 'user'") > 0
    assert ask(dsn, "SELECT count(*) FROM \"Message\" m WHERE content NOT LIKE 'Message ' || position || ' of %'") == 0
    assert ask(dsn, 'SELECT id = message_of(conversation_id, position) FROM "Message" LIMIT 1')


def test_the_tables_go_back_and_not_when_they_hold_something(dsn: str) -> None:
    loaded = load_plan(FOLDER / "plan")
    before = ask(dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    runner.apply(loaded, sessions(dsn), to="additive")
    rollback(loaded, sessions(dsn), to=BEGINNING)
    assert ask(dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == before
    assert ask(dsn, "SELECT count(*) FROM pg_type WHERE typname = 'MessageRole'") == 0
    runner.apply(loaded, sessions(dsn), to="additive")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute('INSERT INTO "JobEvent" (job_id, kind) SELECT id, \'made\' FROM "Job" LIMIT 3')
    with pytest.raises(RollbackRefused) as raised:
        rollback(loaded, sessions(dsn), to=BEGINNING)
    assert raised.value.what == "Going back would lose 3 rows"
    assert "public.JobEvent: 3 rows, dropped by the undo of additive" in (raised.value.why or "")
    assert ask(dsn, 'SELECT count(*) FROM "JobEvent"') == 3


def test_text_ids_are_found_before_anything_is_applied(dsn: str, tmp_path: Path) -> None:
    """The team's first attempt."""
    copy = tmp_path / "project"
    shutil.copytree(FOLDER, copy)
    file = copy / "prisma" / "migrations" / BATCH_1 / "migration.sql"
    text = file.read_text()
    line = text[: text.index('"job_id" UUID')].count("\n") + 1
    file.write_text(text.replace('"job_id" UUID', '"job_id" TEXT', 1))
    assert '"job_id" TEXT' in file.read_text().splitlines()[line - 1]
    loaded = load_plan(copy / "plan")
    (problem,) = preview(loaded, sessions(dsn), SystemClock()).problems
    with pytest.raises(PlanError) as raised:
        runner.apply(loaded, sessions(dsn))
    for error in (problem, raised.value):
        assert error.what == '"JobItem"."job_id" is text, and "Job"."id", to which it would refer, is uuid'
        assert f"{BATCH_1}/migration.sql:" in (error.where or "")
    assert ask(dsn, "SELECT to_regclass('\"Customer\"')") is None
    assert ask(dsn, "SELECT count(*) FROM _prisma_migrations") == 1


def test_one_number_has_one_form(conn: psycopg.Connection[Any]) -> None:
    forms = {
        "(11) 98765-4321": "11987654321",
        "+55 11 98765 4321": "11987654321",
        "0055 11 98765-4321": "11987654321",
        "011 98765.4321": "11987654321",
        "5511987654321": "11987654321",
        "(55) 99876-5432": "55998765432",  # 55 is an area, too
        "55 3234-5678": "5532345678",
        "n/a": None,
        "12345": None,
        "": None,
    }
    file = FOLDER / "prisma" / "migrations" / "20260119080000_identity" / "migration.sql"
    conn.execute('CREATE TABLE "Message" (conversation_id uuid)')
    conn.execute(file.read_bytes())
    rows = conn.execute("SELECT raw, normalised_phone(raw) FROM unnest(%s::text[]) AS raw", (list(forms),)).fetchall()
    assert dict(rows) == forms


@pytest.mark.slow
def test_the_application_writes_all_the_time_and_nothing_is_lost(server_dsn: str, tmp_path: Path) -> None:
    options = DemoOptions(SCALE, 3, server_dsn, False, tmp_path / "out", rate=10, baseline_seconds=1, after_seconds=2)
    result = run(options)
    assert list(result.differences) == []
    assert list(result.checks_failed) == []
    assert result.holds
    said = result.as_json()
    assert (said["system"], said["phases_done"], said["phases_planned"]) == ("context-memory", 4, 4)
    assert said["lost_writes"] == said["failed_writes"] == said["unexplained_rows"] == 0
    assert said["acknowledged_writes"] > 0
    assert said["figures"]["writes with the memory"] > 0
    assert "Going back would lose" in said["figures"]["rollback refused"]
    assert json.loads(result.report_json.read_text())["phases_done"] == 4
