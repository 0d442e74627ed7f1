"""Step ``dedupe``: one row of those that are alike stays; the others are kept, and come back byte for byte."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.uninstall import uninstall
from lockgate.errors import DatabaseError, LockgateError, PlanError
from lockgate.plan.load import LoadedPlan
from lockgate.steps import REGISTRY
from tests.integration.engine.plans import QUICK, act, back, expire, forth, one, rows, sessions, write_plan
from tests.killing import Due, call, every_point

PLANS = "tests.integration.engine.plans"
TABLES = """
CREATE SCHEMA core;
CREATE TABLE core."Phone ä" (
    id int GENERATED ALWAYS AS IDENTITY, "Of" uuid DEFAULT gen_random_uuid(), person int, number text,
    made timestamptz, odd json, weight float8, upper_number text GENERATED ALWAYS AS (upper(number)) STORED,
    UNIQUE ("Of"), PRIMARY KEY (id)
);
INSERT INTO core."Phone ä" (person, number, made, odd, weight)
    SELECT g % 40, 'n' || g % 120, '2026-01-01'::timestamptz + ((g * 7) % 11) * interval '1 h 1 us',
           ('{"b":  ' || g || ', "a": 1}')::json, 1e-7 * g
    FROM generate_series(1, 300) g;
INSERT INTO core."Phone ä" (person, number) VALUES (1, NULL), (1, NULL), (NULL, 'n1'), (NULL, 'n1');
CREATE TABLE core.calls (id int PRIMARY KEY, phone int REFERENCES core."Phone ä" ON DELETE CASCADE, note text);
INSERT INTO core.calls SELECT g, 1 + g % 300, 'c' || g FROM generate_series(1, 400) g;
CREATE TABLE core.tags (tag text, phone uuid REFERENCES core."Phone ä" ("Of"), PRIMARY KEY (tag, phone));
INSERT INTO core.tags SELECT 't' || id, "Of" FROM core."Phone ä" WHERE id % 3 = 0;
"""
PLAN = """
settings: {chunk_rows: 100}
phases:
  - id: fewer
    steps:
      - dedupe: core."Phone ä"
        by: [person, number]
        keep: [made DESC NULLS LAST, weight]
"""
PHONES = 'SELECT t::text FROM core."Phone ä" t ORDER BY id'
CHILDREN = """
    SELECT 'c', id::text, phone::text FROM core.calls UNION ALL SELECT 't', tag, phone::text FROM core.tags
    ORDER BY 1, 2, 3
"""
PLACED = """
    SELECT id, person IS NULL OR number IS NULL AS alone,
           row_number() OVER (PARTITION BY person, number ORDER BY made DESC NULLS LAST, weight, id) AS n
    FROM core."Phone ä"
"""
SURPLUS = f"SELECT count(*) FROM ({PLACED}) AS p WHERE n > 1 AND NOT alone"
STAY = f"SELECT id FROM ({PLACED}) AS p WHERE n = 1 OR alone ORDER BY 1"
FACTS = "SELECT payload -> 'facts' FROM lockgate.chain WHERE kind = 'step' AND payload ->> 'state' = 'done'"


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, TABLES)
    return dsn


def state(dsn: str) -> list[list[tuple[Any, ...]]]:
    return [rows(dsn, PHONES), rows(dsn, CHILDREN)]


def plan(folder: Path, text: str) -> LoadedPlan:
    return write_plan(folder, f"phases:\n  - id: fewer\n    steps:\n      - {text}\n")


def leftovers(dsn: str) -> list[tuple[Any, ...]]:
    return rows(dsn, "SELECT relname FROM pg_class WHERE relname ~ '^(removed|alike|repointed)_[0-9_]+$'")


def test_the_first_row_stays_and_the_others_come_back_byte_for_byte(filled: str, tmp_path: Path) -> None:
    before = state(filled)
    surplus, stay = one(filled, SURPLUS), rows(filled, STAY)
    refer = one(filled, f"SELECT count(*) FROM core.calls WHERE phone NOT IN ({STAY})")
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    assert surplus > 100
    assert rows(filled, 'SELECT id FROM core."Phone ä" ORDER BY 1') == stay
    assert one(filled, "SELECT count(*) FROM core.calls") == 400
    assert refer > 100
    facts = one(filled, FACTS)
    assert facts["quarantined"] == surplus
    assert facts["repointed"]["core.calls"] == refer
    removed = one(
        filled, "SELECT payload -> 'result' ->> 'kept in' FROM lockgate.chain WHERE payload ->> 'name' ~ '^quar'"
    )
    query = f'SELECT count(*) FROM {removed} r JOIN core."Phone ä" t ON t.id = r.lockgate_s1 AND t.number = r.number'
    assert one(filled, query) == surplus
    with pytest.raises(LockgateError, match=removed):
        uninstall(sessions(filled, QUICK))
    back(filled, str(tmp_path))
    assert state(filled) == before
    assert leftovers(filled) == []
    forth(filled, str(tmp_path))
    assert rows(filled, 'SELECT id FROM core."Phone ä" ORDER BY 1') == stay


@pytest.mark.sampled
@pytest.mark.one_server
def test_killed_anywhere_the_next_run_finishes_or_takes_back(filled: str, tmp_path: Path, due: Due) -> None:
    before = state(filled)
    write_plan(tmp_path / "plan", PLAN)
    folder = str(tmp_path / "plan")
    there = call(f"{PLANS}:forth", filled, folder, log=tmp_path / "there")
    assert there.code == 0, there.err
    after = state(filled)
    gone = call(f"{PLANS}:back", filled, folder, log=tmp_path / "gone")
    assert gone.code == 0, gone.err
    points = [point for point in every_point(there.points, most=3) if point.startswith("dedupe.")]
    assert len({point.split(":")[0] for point in points}) == 4
    for point in due(points):
        for finish in (forth, back):
            assert call(f"{PLANS}:forth", filled, folder, fault=point).killed, point
            expire(filled)
            finish(filled, folder)
            if finish is forth:
                assert state(filled) == after, point
                back(filled, folder)
            assert state(filled) == before, point
            assert leftovers(filled) == [], point
    for point in due([point for point in every_point(gone.points, most=3) if point.startswith("dedupe.")]):
        forth(filled, folder)
        assert call(f"{PLANS}:back", filled, folder, fault=point).killed, point
        expire(filled)
        back(filled, folder)
        assert state(filled) == before, point


def test_rows_that_come_meanwhile_are_removed_and_changed_ones_count(filled: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    folder = str(tmp_path)
    assert call(f"{PLANS}:forth", filled, folder, fault="dedupe.batch:1").killed
    act(filled, 'INSERT INTO core."Phone ä" (person, number) SELECT person, number FROM core."Phone ä" WHERE id < 5')
    act(filled, "UPDATE core.\"Phone ä\" SET number = 'own' || id WHERE id > 290 AND number IS NOT NULL")
    expire(filled)
    forth(filled, folder)
    assert one(filled, SURPLUS) == 0
    assert one(filled, "SELECT count(*) FROM core.\"Phone ä\" WHERE number LIKE 'own%'") > 5


def test_a_foreign_key_that_comes_in_between_is_said(filled: str, tmp_path: Path) -> None:
    before = state(filled)
    write_plan(tmp_path, PLAN)
    assert call(f"{PLANS}:forth", filled, str(tmp_path), fault="dedupe.batch:1").killed
    act(filled, 'CREATE TABLE core.more (id int PRIMARY KEY, phone int REFERENCES core."Phone ä")')
    expire(filled)
    with pytest.raises(DatabaseError, match="not what it was"):
        forth(filled, str(tmp_path))
    back(filled, str(tmp_path))
    assert state(filled) == before
    forth(filled, str(tmp_path))
    assert one(filled, SURPLUS) == 0


def test_writers_in_the_middle_lose_nothing(filled: str, tmp_path: Path) -> None:
    """A row that is written while its group is removed is asked for as it is then."""
    write_plan(tmp_path, PLAN)
    doomed = one(filled, f'SELECT max(id) FROM core."Phone ä" WHERE id NOT IN ({STAY})')
    with psycopg.connect(filled) as writer:
        writer.execute("UPDATE core.\"Phone ä\" SET number = 'changed' WHERE id = %s", (doomed,))
        worker = threading.Thread(target=forth, args=(filled, str(tmp_path)))
        worker.start()
        _waited_for(filled, worker)
        writer.commit()
        worker.join()
    assert one(filled, f'SELECT number FROM core."Phone ä" WHERE id = {doomed}') == "changed"
    assert one(filled, SURPLUS) == 0


def _waited_for(dsn: str, worker: threading.Thread) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        while not conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'").fetchone():
            assert worker.is_alive()


def test_a_reference_that_was_changed_since_stays(filled: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    before = state(filled)
    moved = one(filled, f"SELECT min(id) FROM core.calls WHERE phone NOT IN ({STAY})")
    forth(filled, str(tmp_path))
    act(filled, f"UPDATE core.calls SET phone = NULL WHERE id = {moved}")
    back(filled, str(tmp_path))
    assert state(filled)[0] == before[0]
    assert one(filled, f"SELECT phone FROM core.calls WHERE id = {moved}") is None
    query = (
        "SELECT payload -> 'facts' ->> 'changed since' FROM lockgate.chain WHERE payload -> 'facts' ? 'changed since'"
    )
    assert one(filled, query) == "1"


def test_a_key_that_was_taken_since_is_said_and_nothing_is_lost(filled: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    doomed = one(filled, "SELECT max(id) FROM lockgate.removed_1")
    act(filled, f"INSERT INTO core.\"Phone ä\" (id, number) OVERRIDING SYSTEM VALUE VALUES ({doomed}, 'new')")
    with pytest.raises(LockgateError, match="could not be put back"):
        back(filled, str(tmp_path))
    assert one(filled, f"SELECT count(*) FROM lockgate.removed_1 WHERE id = {doomed}") == 1
    act(filled, f'DELETE FROM core."Phone ä" WHERE id = {doomed}')
    back(filled, str(tmp_path))
    assert one(filled, 'SELECT count(*) FROM core."Phone ä"') == 304


def test_where_and_nulls_alike(filled: str, tmp_path: Path) -> None:
    text = '{dedupe: core."Phone ä", by: [person, number], keep: [id], nulls_alike: true, where: weight IS NULL}'
    runner.apply(plan(tmp_path, text), sessions(filled, QUICK))
    assert one(filled, FACTS)["quarantined"] == 2
    assert one(filled, 'SELECT count(*) FROM core."Phone ä" WHERE weight IS NULL') == 2


def test_a_partitioned_table_and_a_key_that_is_said(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        "CREATE TABLE core.log (a text NOT NULL, b date NOT NULL, v int) PARTITION BY RANGE (b)",
        "CREATE TABLE core.log_1 PARTITION OF core.log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "CREATE TABLE core.log_2 PARTITION OF core.log DEFAULT",
        "CREATE UNIQUE INDEX ON core.log (a, b)",
        "INSERT INTO core.log SELECT 'a' || g, '2026-01-20'::date + g % 30, g % 7 FROM generate_series(1, 90) g",
    )
    before = rows(filled, "SELECT * FROM core.log ORDER BY 1")
    runner.apply(plan(tmp_path, "{dedupe: core.log, by: [v], keep: [b, a], key: [a, b]}"), sessions(filled, QUICK))
    assert rows(filled, "SELECT v, min(b) FROM core.log GROUP BY 1 ORDER BY 1") == rows(
        filled, "SELECT v, b FROM core.log ORDER BY 1"
    )
    assert one(filled, "SELECT count(*) FROM core.log") == 7
    back(filled, str(tmp_path))
    assert rows(filled, "SELECT * FROM core.log ORDER BY 1") == before


@pytest.mark.parametrize(
    ("prepare", "text", "what"),
    [
        ("SELECT", "{dedupe: core.nothing, by: [x], keep: [x]}", "core.nothing"),
        ("SELECT", '{dedupe: core."Phone ä", by: [numbr], keep: [id]}', "did you mean `number`"),
        ("SELECT", '{dedupe: core."Phone ä", by: [number], keep: ["id, "]}', "syntax error"),
        ("SELECT", '{dedupe: core."Phone ä", by: [number], keep: [id], where: "weight >"}', "syntax error"),
        ("SELECT", '{dedupe: core."Phone ä", by: [number], keep: [nothing]}', "nothing"),
        ("SELECT", '{dedupe: core."Phone ä", by: [number], keep: [id], key: [person]}', "does not identify"),
        ("CREATE TABLE core.plain (x int)", "{dedupe: core.plain, by: [x], keep: [x]}", "no primary key"),
        ("CREATE VIEW core.v AS SELECT 1 AS x", "{dedupe: core.v, by: [x], keep: [x]}", "no table"),
        (
            "ALTER TABLE core.calls DROP CONSTRAINT calls_pkey",
            '{dedupe: core."Phone ä", by: [number], keep: [id]}',
            "calls",
        ),
        (
            "CREATE TABLE core.me (id int PRIMARY KEY, x int, up int REFERENCES core.me)",
            "{dedupe: core.me, by: [x], keep: [id]}",
            "refers to itself",
        ),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON core.calls "
            "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            '{dedupe: core."Phone ä", by: [number], keep: [id]}',
            'trigger "t" of core.calls',
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changed(
    filled: str, tmp_path: Path, prepare: str, text: str, what: str
) -> None:
    act(filled, prepare)
    before = state(filled)
    with pytest.raises((PlanError, DatabaseError), match=re.escape(what)) as refused:
        runner.apply(plan(tmp_path, text), sessions(filled, QUICK))
    assert "plan.yaml:5" in str(refused.value.where)
    assert state(filled) == before


def test_a_reference_that_would_be_there_twice_stops_it_and_nothing_is_half_done(filled: str, tmp_path: Path) -> None:
    act(filled, "DELETE FROM core.tags", 'INSERT INTO core.tags SELECT \'same\', "Of" FROM core."Phone ä"')
    before = state(filled)
    write_plan(tmp_path, PLAN.replace("chunk_rows: 100", "chunk_rows: 100000"))
    with pytest.raises(LockgateError, match="could not be removed") as refused:
        forth(filled, str(tmp_path))
    assert "tags_pkey" in str(refused.value) + str(refused.value.why)
    assert state(filled) == before


def test_the_plan_says_how_many_would_go(filled: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    step = loaded.plan.phases[0].steps[0]
    with psycopg.connect(filled, autocommit=True) as conn:
        said = REGISTRY[type(step)].describe(conn, loaded, loaded.plan.phases[0], step)
    assert f"{one(filled, SURPLUS)} rows too many" in said[0]
    assert any("core.calls(phone)" in line for line in said)
