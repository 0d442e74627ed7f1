"""A plan whose SELECT is copied whole: one chunk that is never cut, killed and refused as any other."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.errors import DatabaseError
from lockgate.plan.load import load_plan
from lockgate.preview import preview
from lockgate.report import as_json, collect
from lockgate.report.markdown import render
from tests.integration.engine.plans import one, rows, sessions, write_plan
from tests.killing import call

PLAN = """
settings: {chunk_rows: 100, workers: 2}
phases:
  - id: copy
    steps:
      - map: sums
        into: new.c
        key: [customer]
        from: old.o
        sync: none
        select: SELECT o.customer, sum(o.total) AS total FROM old.o o GROUP BY o.customer
    after:
      - reconcile: sums
"""
TABLES = """
CREATE SCHEMA old CREATE TABLE o (id bigint PRIMARY KEY, customer int, total numeric, note text);
CREATE SCHEMA new CREATE TABLE c (customer int PRIMARY KEY, total int);
INSERT INTO old.o SELECT n, n % 50, 1, repeat('x', 500) FROM generate_series(1, 5000) AS n;
ANALYZE old.o;
INSERT INTO new.c VALUES (7, -1)
"""


def apply(dsn: str, folder: str) -> None:
    """In a process of its own."""
    runner.apply(load_plan(Path(folder)), sessions(dsn))


@pytest.fixture
def folder(dsn: str, tmp_path: Path) -> Path:
    with psycopg.connect(dsn, autocommit=True) as app:
        app.execute(TABLES)
    write_plan(tmp_path, PLAN)
    return tmp_path


@pytest.mark.parametrize("point", ["chunk.claimed", "chunk.commit", "chunk.done"])
def test_a_run_that_was_killed_is_followed_by_one_that_finishes(dsn: str, folder: Path, point: str) -> None:
    assert call("tests.integration.steps.test_whole:apply", dsn, str(folder), fault=point).killed
    assert one(dsn, "SELECT count(*) FROM new.c") == (50 if point == "chunk.done" else 1)
    apply(dsn, str(folder))
    assert rows(dsn, "SELECT lo, hi, state FROM lockgate.chunks") == [(0, 1, "done")]
    assert rows(dsn, "SELECT count(*), min(total), max(total) FROM new.c WHERE customer < 50") == [(50, 100, 100)]


def test_plan_report_and_undo(dsn: str, folder: Path) -> None:
    loaded = load_plan(folder)
    steps = preview(loaded, sessions(dsn), sessions(dsn).clock).phases[0].steps
    assert "copied whole, by one statement in one transaction: this SELECT cannot be read in pieces" in steps[0].lines
    apply(dsn, str(folder))
    with psycopg.connect(dsn, autocommit=True) as conn:
        report = collect(conn, "shop")
    assert "sums is copied whole: its account is of the yielded rows" in render(report)
    assert as_json(report)["mappings"][0]["accounting"]["of"] == "yielded rows"
    runner.rollback(loaded, sessions(dsn))
    assert rows(dsn, "SELECT * FROM new.c ORDER BY 1") == [(7, -1)], "what the application had made"


def test_a_row_that_the_target_refuses_is_not_looked_for_in_blocks(dsn: str, folder: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as app:
        app.execute("UPDATE old.o SET total = 3000000000 WHERE id = 1")
    with pytest.raises(DatabaseError, match="mapping sums, which is copied whole, fails") as caught:
        apply(dsn, str(folder))
    assert "integer out of range" in str(caught.value.why)
    assert one(dsn, "SELECT count(*) FROM new.c") == 1
