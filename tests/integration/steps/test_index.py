"""Step ``index``: built beside writers, killed anywhere, taken back; partitioned tables, and indexes that replace."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.strong import StrongLock
from lockgate.errors import DatabaseError, LockgateError, PlanError
from lockgate.plan.load import LoadedPlan
from lockgate.steps import REGISTRY
from tests.integration.engine.plans import QUICK, Told, act, back, expire, forth, one, rows, sessions, write_plan
from tests.killing import Due, call, every_point

PLANS = "tests.integration.engine.plans"
TABLES = """
CREATE SCHEMA core;
CREATE TABLE core."Phone ä" (id int PRIMARY KEY, person int, number text);
INSERT INTO core."Phone ä" SELECT g, g % 50, 'n' || g FROM generate_series(1, 500) g;
CREATE INDEX old ON core."Phone ä" (person);
COMMENT ON INDEX core.old IS 'of before';
CREATE TABLE core.notes (id int, day date NOT NULL, body text) PARTITION BY RANGE (day);
CREATE TABLE core.notes_1 PARTITION OF core.notes FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE core.notes_2 PARTITION OF core.notes FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')
    PARTITION BY LIST (id);
CREATE TABLE core.notes_2_1 PARTITION OF core.notes_2 FOR VALUES IN (1);
CREATE TABLE core.notes_2_x PARTITION OF core.notes_2 DEFAULT;
INSERT INTO core.notes SELECT g % 3, '2026-01-01'::date + g % 59, 'b' || g FROM generate_series(1, 300) g;
CREATE INDEX old_notes ON core.notes (day);
"""
PLAN = """
phases:
  - id: faster
    steps:
      - index: |
          CREATE UNIQUE INDEX "Phone of ä" ON core."Phone ä" (person, lower(number) DESC) INCLUDE (id)
            WHERE number <> 'x';
          CREATE INDEX notes_body ON core.notes USING btree (body text_pattern_ops) WITH (fillfactor = 80);
        replaces: [core.old, core.old_notes]
"""
INDEXES = """
    SELECT x.indexrelid::regclass::text, x.indisvalid, pg_get_indexdef(x.indexrelid), c.relispartition
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE c.relnamespace = 'core'::regnamespace ORDER BY 1
"""
FACTS = "SELECT payload -> 'facts' FROM lockgate.chain WHERE kind = 'step' AND payload ->> 'state' = 'done'"
SIZE = "SELECT payload -> 'result' ->> 'bytes' FROM lockgate.chain WHERE payload ->> 'name' = 'index:core.notes_body'"


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, TABLES)
    return dsn


def plan(folder: Path, sql: str, replaces: str = "[]") -> LoadedPlan:
    text = "\n".join(f"          {line}" for line in sql.splitlines())
    head = "phases:\n  - id: faster\n    steps:\n      - index: |\n"
    return write_plan(folder, f"{head}{text}\n        replaces: {replaces}\n")


def indexes(dsn: str) -> list[tuple[Any, ...]]:
    return rows(dsn, INDEXES)


def names(dsn: str) -> set[str]:
    return {row[0] for row in indexes(dsn)}


def test_indexes_are_built_replace_others_and_are_taken_back(filled: str, tmp_path: Path) -> None:
    before = indexes(filled)
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    after = {row[0]: row for row in indexes(filled)}
    assert all(row[1] for row in after.values())
    assert "core.old" not in after
    assert not {name for name in after if "day" in after[name][2]}
    assert "lower(number) DESC" in after['core."Phone of ä"'][2]
    parts = {name for name, row in after.items() if "text_pattern_ops" in row[2]}
    assert parts == {"core.notes_body", *(f"core.notes_{name}_notes_body" for name in ("1", "2", "2_1", "2_x"))}
    assert all("fillfactor='80'" in after[name][2] for name in parts)
    with psycopg.connect(filled) as conn:
        conn.execute("SET enable_seqscan = off")
        assert "notes_body" in str(conn.execute("EXPLAIN SELECT FROM core.notes WHERE body LIKE 'b1%'").fetchall())
    assert one(filled, FACTS) == {
        "built": ['core."Phone of ä"', "core.notes_body"],
        "replaced": ["core.old", "core.old_notes"],
    }
    assert int(one(filled, SIZE)) > 4 * 8192
    back(filled, str(tmp_path))
    assert _renamed(before, indexes(filled))
    assert names(filled) >= {"core.old", "core.old_notes"}
    assert one(filled, "SELECT obj_description('core.old'::regclass)") == "of before"
    forth(filled, str(tmp_path))
    assert {row[0]: row for row in indexes(filled)} == after


def _renamed(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> bool:
    """Whether all is as it was but for the names of the parts, which PostgreSQL had chosen."""

    def plain(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return sorted((re.sub(r"INDEX \S+ ON", "INDEX ON", row[2]), row[1], row[3]) for row in found)

    return plain(before) == plain(after)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.one_server
def test_killed_anywhere_the_next_run_finishes_or_takes_back(filled: str, tmp_path: Path, due: Due) -> None:
    before = indexes(filled)
    write_plan(tmp_path / "plan", PLAN)
    folder = str(tmp_path / "plan")
    there = call(f"{PLANS}:forth", filled, folder, log=tmp_path / "there")
    assert there.code == 0, there.err
    after = indexes(filled)
    gone = call(f"{PLANS}:back", filled, folder, log=tmp_path / "gone")
    assert gone.code == 0, gone.err
    points = [point for point in every_point(there.points) if point.startswith(("index.", "alone."))]
    assert {"index.parent:2", "index.attached:4", "index.noted:2", "index.dropped:2"} <= set(points)
    every = due("abc") == "abc"
    for number, point in enumerate(due(points)):
        for finish in (forth, back) if every else (forth, back)[number % 2 :][:1]:
            assert call(f"{PLANS}:forth", filled, folder, fault=point).killed, point
            expire(filled)
            finish(filled, folder)
            if finish is forth:
                assert indexes(filled) == after, point
                back(filled, folder)
            assert _renamed(before, indexes(filled)), point
    for point in due([point for point in every_point(gone.points) if point.startswith(("index.", "alone."))]):
        forth(filled, folder)
        assert call(f"{PLANS}:back", filled, folder, fault=point).killed, point
        expire(filled)
        back(filled, folder)
        assert _renamed(before, indexes(filled)), point


def test_a_partition_that_comes_meanwhile_has_its_part(filled: str, tmp_path: Path) -> None:
    write_plan(tmp_path / "plan", PLAN)
    assert call(f"{PLANS}:forth", filled, str(tmp_path / "plan"), fault="index.attached:1").killed
    act(filled, "CREATE TABLE core.notes_3 PARTITION OF core.notes FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')")
    expire(filled)
    forth(filled, str(tmp_path / "plan"))
    assert one(filled, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'core.notes_body'::regclass") is True
    assert "core.notes_3_body_idx" in names(filled)


def test_a_unique_index_over_rows_that_are_not_leaves_nothing(filled: str, tmp_path: Path) -> None:
    before = indexes(filled)
    loaded = plan(tmp_path, 'CREATE UNIQUE INDEX one ON core."Phone ä" (person)', "[core.old]")
    with pytest.raises(LockgateError, match="one") as refused:
        runner.apply(loaded, sessions(filled, QUICK))
    assert refused.value.where is not None
    assert re.search(r"plan\.yaml:\d+:11$", refused.value.where)
    assert indexes(filled) == before


def test_an_index_of_that_name_is_not_taken_for_ones_own(filled: str, tmp_path: Path) -> None:
    for sql in ('CREATE INDEX old ON core."Phone ä" (number)', "CREATE INDEX old_notes ON core.notes (body)"):
        with pytest.raises(DatabaseError, match="exists already"):
            runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
        with psycopg.connect(filled) as conn:
            conn.execute("DROP SCHEMA lockgate CASCADE")
    assert {"core.old", "core.old_notes"} <= names(filled)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("DROP INDEX core.old", "builds no index"),
        ("CREATE INDEX ON core.notes (body)", "has no name"),
        ("CREATE INDEX IF NOT EXISTS i ON core.notes (body)", "IF NOT EXISTS"),
        ("CREATE INDEX i ON ONLY core.notes (body)", "ONLY"),
        ("CREATE INDEX i ON core.notes (body); CREATE INDEX i ON core.notes (day)", "Two indexes"),
    ],
)
def test_what_cannot_be_built_so_is_said_before_anything_is_done(
    filled: str, tmp_path: Path, sql: str, what: str
) -> None:
    before = names(filled)
    with pytest.raises(PlanError, match=what) as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled))
    assert "plan.yaml:" in str(refused.value.where)
    assert names(filled) == before


@pytest.mark.parametrize(
    ("prepare", "replaces", "why"),
    [
        ("SELECT", '[core."Phone ä_pkey"]', "constraint"),
        ("SELECT", "[core.notes_1_day_idx]", "part of the index"),
        ('ALTER TABLE core."Phone ä" CLUSTER ON old', "[core.old]", "clustered"),
        ("SELECT", "[core.nothing]", "There is no index core.nothing"),
    ],
)
def test_what_cannot_be_dropped_by_itself_is_said_before_anything_is_built(
    filled: str, tmp_path: Path, prepare: str, replaces: str, why: str
) -> None:
    act(filled, prepare)
    before = names(filled)
    with pytest.raises(PlanError) as refused:
        runner.apply(plan(tmp_path, 'CREATE INDEX i ON core."Phone ä" (number)', replaces), sessions(filled))
    assert why in str(refused.value) + str(refused.value.why)
    assert names(filled) == before


def test_a_table_that_is_not_there_or_a_view(filled: str, tmp_path: Path) -> None:
    act(filled, "CREATE VIEW core.v AS SELECT 1 AS x")
    for name, what in (("w", "no table core.w"), ("v", "core.v cannot have")):
        with pytest.raises(PlanError, match=what):
            runner.apply(plan(tmp_path, f"CREATE INDEX i ON core.{name} (x)"), sessions(filled))


def test_the_plan_says_what_would_be_done(filled: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    step = loaded.plan.phases[0].steps[0]
    with psycopg.connect(filled) as conn:
        said = REGISTRY[type(step)].describe(conn, loaded, loaded.plan.phases[0], step)
    assert 'CREATE UNIQUE INDEX CONCURRENTLY "Phone of ä" ON core."Phone ä"' in said[0]
    assert any("SHARE UPDATE EXCLUSIVE" in line for line in said)
    assert any("each partition" in line for line in said)
    assert said[-1].startswith("DROP INDEX CONCURRENTLY core.old_notes")


def test_the_plan_tells_of_a_table_that_is_made_before(dsn: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path, "CREATE INDEX i ON public.later (x)")
    step = loaded.plan.phases[0].steps[0]
    with psycopg.connect(dsn) as conn:
        said = REGISTRY[type(step)].describe(conn, loaded, loaded.plan.phases[0], step)
    assert said[0] == "CREATE INDEX CONCURRENTLY i ON public.later USING btree (x)"


def test_a_foreign_table_among_the_partitions_is_said_before_anything_is_built(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        "CREATE FOREIGN DATA WRAPPER nowhere",
        "CREATE SERVER far FOREIGN DATA WRAPPER nowhere",
        "CREATE FOREIGN TABLE core.notes_far PARTITION OF core.notes_2 FOR VALUES IN (7) SERVER far",
    )
    before = names(filled)
    with pytest.raises(DatabaseError, match="notes_far") as refused:
        runner.apply(plan(tmp_path, "CREATE INDEX i ON core.notes (body)"), sessions(filled, QUICK))
    assert "foreign table" in (refused.value.why or "")
    assert names(filled) == before


def test_nobody_hears_that_a_commit_succeeded(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what was done is done again."""
    once = StrongLock.do

    def twice(self: StrongLock, work: Callable[[psycopg.Connection[Any]], Any]) -> Any:
        once(self, work)
        return once(self, work)

    before = indexes(filled)
    write_plan(tmp_path, PLAN)
    monkeypatch.setattr("lockgate.engine.strong.StrongLock.do", twice)
    forth(filled, str(tmp_path))
    assert one(filled, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'core.notes_body'::regclass") is True
    back(filled, str(tmp_path))
    assert _renamed(before, indexes(filled))


def test_writers_go_on_meanwhile(filled: str, tmp_path: Path) -> None:
    """A build that takes SHARE would be refused its lock here, for as long as the writer holds its own."""
    told = Told()
    loaded = plan(tmp_path, 'CREATE INDEX i ON core."Phone ä" (number)')
    with psycopg.connect(filled) as writer:
        writer.execute("INSERT INTO core.\"Phone ä\" VALUES (1000, 1, 'late')")
        worker = threading.Thread(target=runner.apply, args=(loaded, sessions(filled)), kwargs={"progress": told})
        worker.start()
        while not told.waits:
            assert worker.is_alive()
        with psycopg.connect(filled) as other:
            other.execute("SET lock_timeout = '100ms'")
            other.execute("INSERT INTO core.\"Phone ä\" VALUES (1001, 1, 'later')")
        writer.commit()
        worker.join()
    assert "core.i" in names(filled)
