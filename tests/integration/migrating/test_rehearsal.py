"""What the way back of Alembic's revisions would destroy is seen in a trial, before anything is done."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.losing import foresee
from lockgate.engine.rollback import rollback
from lockgate.errors import DatabaseError, RollbackRefused
from lockgate.migrating.rehearsing import rehearse
from tests.integration.engine.plans import QUICK, one, rows, sessions
from tests.integration.migrating.test_alembic import HEADS, STANDARD, loaded, project

ALONE = "with op.get_context().autocommit_block():\n        op.execute('DROP INDEX CONCURRENTLY things_id')"


@pytest.fixture
def filled(dsn: str, tmp_path: Path) -> str:
    """All three revisions, with two rows of the application's."""
    project(tmp_path, STANDARD)
    runner.apply(loaded(tmp_path), sessions(dsn))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO things VALUES (1, 'one'), (2, NULL)")
    return dsn


def test_it_refuses_with_counts_and_changes_nothing(filled: str, tmp_path: Path) -> None:
    with pytest.raises(RollbackRefused) as refused:
        rollback(loaded(tmp_path), sessions(filled), to="first")
    assert "column public.things.name: 1 rows, dropped when c3_x, b2_x are taken back" in (refused.value.why or "")
    with pytest.raises(RollbackRefused) as refused:
        rollback(loaded(tmp_path), sessions(filled), to="@start")
    assert "table public.things: 2 rows, dropped when c3_x, b2_x, a1_x are taken back" in (refused.value.why or "")
    assert rows(filled, "SELECT id, name FROM things ORDER BY id") == [(1, "one"), (2, None)]
    assert rows(filled, HEADS) == [("c3",)]
    rollback(loaded(tmp_path), sessions(filled), to="@start", lose_rows=True)
    assert one(filled, "SELECT to_regclass('things')") is None


def test_nothing_is_lost_of_empty_tables(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    runner.apply(loaded(tmp_path), sessions(dsn))
    rollback(loaded(tmp_path), sessions(dsn), to="@start")
    assert one(dsn, "SELECT to_regclass('things')") is None


def test_one_that_would_commit_on_its_way_is_not_tried(dsn: str, tmp_path: Path) -> None:
    down, up, _ = STANDARD["b2"]
    project(tmp_path, {**STANDARD, "b2": (down, up, ALONE)})
    runner.apply(loaded(tmp_path), sessions(dsn))
    with pytest.raises(RollbackRefused, match="cannot be told") as refused:
        rollback(loaded(tmp_path), sessions(dsn), to="@start")
    assert "what c3_x, b2_x, a1_x drop: the trial of it failed" in (refused.value.why or "")
    assert rows(dsn, HEADS) == [("c3",)]
    assert one(dsn, "SELECT to_regclass('things_id')") is not None
    assert one(dsn, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'things'") == 2
    rollback(loaded(tmp_path), sessions(dsn), to="@start", lose_rows=True)
    assert one(dsn, "SELECT to_regclass('things')") is None


def test_one_that_fails_is_told_with_its_reason(filled: str, tmp_path: Path) -> None:
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("CREATE VIEW names AS SELECT name FROM things")
    prospect = foresee(sessions(filled), loaded(tmp_path), loaded(tmp_path).plan.phases[1:])
    assert "other objects depend on it" in prospect.uncounted[0]


def test_a_lock_that_is_held_is_a_matter_of_time(filled: str, tmp_path: Path) -> None:
    with psycopg.connect(filled) as conn:
        conn.execute("SELECT * FROM things")
        with pytest.raises(DatabaseError, match="cannot be told now"):
            rehearse(sessions(filled, QUICK), loaded(tmp_path), loaded(tmp_path).plan.phases[::-1])
    phases = loaded(tmp_path).plan.phases[::-1]
    assert [str(each) for each in rehearse(sessions(filled), loaded(tmp_path), phases).destroyed] == [
        "table public.things: 2 rows"
    ]
