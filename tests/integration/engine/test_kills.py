"""A run that is killed at any boundary is followed by one that finishes: nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lockgate.engine import runner
from lockgate.engine.undoing import BEGINNING
from lockgate.ledger import audit
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import rows, sessions, write_plan
from tests.killing import Due, call, every_point

PLAN = """
phases:
  - id: first
    before: [{query: SELECT 1, equals: 1}]
    steps:
      - {sql: t.sql, id: t}
      - {sql: x.sql, id: x, outside_transaction: true}
      - analyze: [public.t]
      - {measure: m, before: SELECT sum(n) FROM t, after: SELECT sum(n) FROM t, runs: 3}
    after:
      - {query: SELECT sum(n) FROM t, equals: 150}
      - objects: {indexes: [public.i]}
    undo:
      - sql: DROP TABLE t
      - sql: INSERT INTO undone VALUES (1)
  - id: second
    steps: [{sql: UPDATE t SET n = n + 1}]
    after: [{query: SELECT sum(n) FROM t, equals: 200}]
    undo: [{sql: UPDATE t SET n = n - 1}]
"""
T = """
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 50) g;
"""
X = """
UPDATE t SET n = n + 1;
CREATE INDEX CONCURRENTLY i ON t (n);
UPDATE t SET n = n + 2;
"""


def apply(dsn: str, folder: str) -> None:
    runner.apply(load_plan(Path(folder)), sessions(dsn))


def rollback(dsn: str, folder: str) -> None:
    runner.rollback(load_plan(Path(folder)), sessions(dsn), to=BEGINNING, lose_rows=True)


def what_stands(dsn: str) -> dict[str, Any]:
    """The tables, and the ledger without its times, numbers, measured values and the story of the runs."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert audit.verify(conn) == []
    exists = rows(dsn, "SELECT to_regclass('public.t') IS NOT NULL")[0][0]
    return {
        "t": rows(dsn, "SELECT * FROM public.t ORDER BY id") if exists else None,
        "undone": rows(dsn, "SELECT * FROM public.undone"),
        "index": rows(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.i')"),
        "phases": rows(dsn, "SELECT phase, state FROM lockgate.phases ORDER BY 1"),
        "steps": rows(dsn, "SELECT phase, step, state, position FROM lockgate.steps ORDER BY 1, 2"),
        "lease": rows(dsn, "SELECT holder FROM lockgate.lease"),
        "done": rows(
            dsn,
            "SELECT kind, phase, step, count(*) FROM lockgate.chain WHERE kind IN ('step', 'undo')"
            " AND step IS NOT NULL AND coalesce(payload->>'state', '') <> 'failed' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        ),
    }


def prepare(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.undone (x int)")


def another(dsn: str, number: int) -> str:
    """One more database, a copy of the empty one."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        name = f"{conn.info.dbname}_{number}"
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    other = make_conninfo(dsn, dbname=name)
    prepare(other)
    return other


def drop(dsn: str, other: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn, psycopg.connect(other) as gone:
        name = gone.info.dbname
        gone.close()
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def kill_everywhere(dsn: str, folder: Path, log: Path, due: Due, job: str, undisturbed: Any, before: Any = None) -> int:
    """Kill ``job`` at each point that an undisturbed run passes, each time in a fresh database."""
    target = f"tests.integration.engine.test_kills:{job}"
    if before:
        before(dsn, str(folder))
    whole = call(target, dsn, str(folder), log=log)
    assert whole.code == 0, whole.err
    expected = what_stands(dsn)
    points = every_point(whole.points, most=1)
    for number, point in enumerate(due(points)):
        other = another(dsn, number)
        try:
            if before:
                before(other, str(folder))
            assert call(target, other, str(folder), fault=point).killed, point
            undisturbed(other, str(folder))
            assert what_stands(other) == expected, point
        finally:
            drop(dsn, other)
    return len(points)


@pytest.mark.slow
@pytest.mark.sampled
def test_apply(dsn: str, tmp_path: Path, due: Due) -> None:
    write_plan(tmp_path / "plan", PLAN, t=T, x=X)
    prepare(dsn)
    assert kill_everywhere(dsn, tmp_path / "plan", tmp_path / "log", due, "apply", apply) > 20


@pytest.mark.slow
@pytest.mark.sampled
def test_rollback(dsn: str, tmp_path: Path, due: Due) -> None:
    write_plan(tmp_path / "plan", PLAN, t=T, x=X)
    prepare(dsn)
    assert kill_everywhere(dsn, tmp_path / "plan", tmp_path / "log", due, "rollback", rollback, before=apply) > 8
