"""The plan: forward, what going back would lose, all the way back, and what the doctor says in between."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from lockgate.catalog.differences import differences
from lockgate.demo import DemoOptions
from lockgate.demo.life_graph import run
from lockgate.doctor import examine
from lockgate.engine import runner
from lockgate.engine.clock import SystemClock
from lockgate.engine.context import Silent
from lockgate.errors import RollbackRefused, UsageError
from lockgate.verification import verify
from systems.life_graph.generate import generate
from tests.acceptance.life_graph.project import SCALE, alembic, apply, loaded, schema, sessions


@pytest.fixture
def before(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, SCALE)
    return dsn


def failing(dsn: str) -> list[str]:
    made = verify(
        loaded(), sessions(dsn), only="in_use", progress=Silent(), clock=SystemClock(), stop=threading.Event()
    )
    return [each.result.what for each in made if each.result is not None and not each.passed]


def ill(dsn: str) -> list[tuple[str, str]]:
    found = examine(sessions(dsn), "life-graph", None, loaded())
    return [(each.area, each.what) for each in found if each.verdict.value == "fail"]


@pytest.mark.slow
def test_it_goes_forward_and_all_the_way_back(before: str, tmp_path: Path) -> None:
    dsn, start = before, schema(before)
    apply(dsn, tmp_path)
    full = schema(dsn)
    assert ill(dsn) == []

    with pytest.raises(RollbackRefused) as refused:
        runner.rollback(loaded(), sessions(dsn), to="@start")
    why = refused.value.why or ""
    for words in (
        "table public.interactions: 500 rows",
        "table public.parties: 10 rows",
        "column public.documents.mime_type: 50 rows",
        "dropped when 004_signals_links_interactions, 003_documents_enhanced, 002_parties_roles_commitments,"
        " 001_extensions are taken back",
    ):
        assert words in why
    assert differences(full, schema(dsn)) == [], "the trial is rolled back"
    assert failing(dsn) == []

    runner.rollback(loaded(), sessions(dsn), to="@start", lose_rows=True)
    assert differences(start, schema(dsn)) == []
    apply(dsn, tmp_path, to="links")
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM documents WHERE source = 'upload'").fetchone() == (50,)


@pytest.mark.one_server
@pytest.mark.slow
def test_what_is_not_as_it_was_is_found(before: str, tmp_path: Path) -> None:
    dsn = before
    apply(dsn, tmp_path)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO roles (party_id, user_id, role_name) SELECT id, id, 'x' FROM parties LIMIT 1")
        conn.execute("UPDATE document_links SET entity_id = gen_random_uuid() WHERE entity_type = 'signal'")
        conn.execute(
            "INSERT INTO interactions (interaction_type, actor_type, primary_entity_type, primary_entity_id)"
            " VALUES ('viewed', 'user', 'role', gen_random_uuid())"
        )
    assert failing(dsn) == [
        "Roles of users who are not there: 1, and it must be 0",
        "Links to things that are not there: 50, and it must be 0",
        "Interactions about things that are not there: 1, and it must be 0",
    ]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("DROP INDEX idx_roles_user")
        conn.execute("ALTER TABLE interactions DISABLE TRIGGER interactions_append_only")
    assert "interactions_append_only is disabled" in " ".join(what for _, what in ill(dsn))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ALTER TABLE interactions ENABLE TRIGGER interactions_append_only")
    assert ill(dsn) == [("objects", "foundation: index public.idx_roles_user is not there")]
    assert alembic(dsn, "downgrade", "003").returncode == 0
    assert ("history", "004 of phases that are done is not in public.alembic_version: somebody took it back") in ill(
        dsn
    )


@pytest.mark.slow
def test_the_demo_loses_nothing_of_an_application_that_goes_on(server_dsn: str, tmp_path: Path) -> None:
    result = run(DemoOptions(scale=SCALE, database=server_dsn, folder=tmp_path / "out"))
    assert (result.checks_failed, result.differences) == ((), ())
    assert (result.failed_writes, result.lost_writes, result.unexplained_rows) == (0, 0, 0)
    assert result.holds
    assert result.acknowledged_writes > 10
    assert (result.phases_done, result.phases_planned) == (4, 4)
    assert result.as_json()["system"] == "life-graph"
    assert "4 of 4 phases are done" in result.report_md.read_text()


def test_too_small_a_scale_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small"):
        run(DemoOptions(scale=0.0001, folder=tmp_path))
