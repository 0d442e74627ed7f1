"""Step ``constraint`` and the rows that are there: looked at before anything is added, and read to prove it."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.constraints.violations import Violations
from lockgate.engine import runner
from lockgate.engine.run import Outcome, RunResult
from lockgate.errors import DatabaseError
from lockgate.gates import hazards
from tests.integration.engine.plans import QUICK, act, back, forth, one, rows, sessions
from tests.integration.steps.constrained import FACTS, NOT_NULL, TABLES, plan, state


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, TABLES)
    return dsn


@pytest.mark.parametrize(
    ("sql", "count", "shown"),
    [
        ('ALTER TABLE core."Phone ä" ADD CONSTRAINT c CHECK (id < 399)', "2 rows", "FROM ONLY"),
        ('ALTER TABLE core."Phone ä" ALTER kind SET NOT NULL', "100 rows", '"kind" IS NULL'),
        ('ALTER TABLE core."Phone ä" ADD CONSTRAINT c PRIMARY KEY (person)', "400 rows", "HAVING count"),
        ('ALTER TABLE core."Phone ä" ADD CONSTRAINT c UNIQUE NULLS NOT DISTINCT (kind)', "400 rows", "HAVING count"),
        (
            "DELETE|ALTER TABLE core.notes ADD CONSTRAINT c FOREIGN KEY (kind) REFERENCES core.kinds",
            "100 rows",
            "NOT EXISTS",
        ),
        ("ALTER TABLE core.notes ADD CONSTRAINT c CHECK (id > 7)", "7 rows", "IS FALSE"),
    ],
)
def test_rows_in_the_way_are_counted_and_nothing_is_left(
    filled: str, tmp_path: Path, sql: str, count: str, shown: str
) -> None:
    if sql.startswith("DELETE|"):
        act(filled, "DELETE FROM core.kinds WHERE code = 'c'")
        sql = sql.removeprefix("DELETE|")
    constraints, _, indexes = state(filled)
    with pytest.raises(DatabaseError, match=count) as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert re.search(r"plan\.yaml:\d+:11$", str(refused.value.where))
    assert shown in str(refused.value.hint)
    query = str(refused.value.hint).removeprefix("These are some: ")
    assert rows(filled, query)
    assert state(filled)[0] == constraints
    assert state(filled)[2] == indexes
    back(filled, str(tmp_path))
    assert state(filled)[1] == rows(filled, NOT_NULL)


def test_all_rows_in_the_way_are_told_before_anything_is_added(filled: str, tmp_path: Path) -> None:
    sql = """ALTER TABLE core."Phone ä"
  ADD CONSTRAINT sound CHECK (person >= 0),
  ADD CONSTRAINT few CHECK (id < 399),
  ADD CONSTRAINT u UNIQUE (id),
  ALTER kind SET NOT NULL;
ALTER TABLE core.notes
  ADD CONSTRAINT own UNIQUE (id, day, kind),
  ADD CONSTRAINT of_kind FOREIGN KEY (kind) REFERENCES core.kinds;
ALTER TABLE core.notes ADD CONSTRAINT late CHECK (id > 7)"""
    act(filled, "DELETE FROM core.kinds WHERE code = 'c'")
    before = state(filled)
    with pytest.raises(DatabaseError) as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert refused.value.what.split("; ") == [
        '2 rows of core."Phone ä" stand against the constraint few of core."Phone ä"',
        '100 rows of core."Phone ä" stand against the NOT NULL of core."Phone ä".kind',
        "100 rows of core.notes stand against the constraint of_kind of core.notes",
        "7 rows of core.notes stand against the constraint late of core.notes",
    ]
    assert str(refused.value.where).endswith("plan.yaml:6:11")
    queries = str(refused.value.hint).removeprefix("These are some: ").split("; ")
    assert [len(rows(filled, query)) for query in queries] == [2, 5, 5, 5]
    assert state(filled) == before


def test_a_condition_that_fails_hides_no_other(filled: str, tmp_path: Path) -> None:
    """What is asked for all together fails with it; then each is asked by itself."""
    before = state(filled)
    sql = """ALTER TABLE core."Phone ä"
  ADD CONSTRAINT c CHECK (100 / (id - 7) > -1000), ALTER kind SET NOT NULL"""
    with pytest.raises(DatabaseError) as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert refused.value.what == '100 rows of core."Phone ä" stand against the NOT NULL of core."Phone ä".kind'
    assert state(filled) == before


def test_a_foreign_key_to_a_primary_key_of_the_same_step_is_looked_at(filled: str, tmp_path: Path) -> None:
    act(filled, "CREATE TABLE core.types AS SELECT code FROM core.kinds WHERE code <> 'b'")
    before = state(filled)
    sql = """ALTER TABLE core.notes ADD CONSTRAINT of_type FOREIGN KEY (kind) REFERENCES core.types;
ALTER TABLE core.types ADD CONSTRAINT key PRIMARY KEY (code)"""
    with pytest.raises(DatabaseError) as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert refused.value.what == "100 rows of core.notes stand against the constraint of_type of core.notes"
    assert state(filled) == before


def scans(dsn: str) -> dict[str, int]:
    """How often each table was read from end to end, by sessions that are gone."""
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'lockgate:%'"
    while one(dsn, left):
        time.sleep(0.01)
    return dict(rows(dsn, "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'core'"))


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        pytest.param(
            'ALTER TABLE core."Phone ä" ADD CONSTRAINT a CHECK (id > 0), ADD CONSTRAINT b CHECK (person < 50), '
            "ALTER during SET NOT NULL",
            {"Phone ä": 2},
            id="one look and one proof",
        ),
        pytest.param(
            'ALTER TABLE core."Phone ä" ADD CONSTRAINT f FOREIGN KEY (kind) REFERENCES core.kinds, '
            "ADD CONSTRAINT a CHECK (id > 0), ADD CONSTRAINT k PRIMARY KEY (person, id)",
            # A look and a proof for rows, the same for the foreign key, and the index is built by two readings.
            {"Phone ä": 6},
            id="each foreign key by itself",
        ),
        pytest.param(
            "ALTER TABLE core.notes ADD CONSTRAINT a CHECK (id > 0), ADD CONSTRAINT b CHECK (day > '2000-01-01'), "
            "ALTER day SET NOT NULL, ALTER body SET NOT NULL",
            # The CHECKs are proved of the whole, the NOT NULLs of each partition.
            {"notes_1": 3, "notes_2_a": 3, "notes_2_x": 3},
            id="of partitions",
        ),
    ],
)
def test_a_table_is_read_as_seldom_as_can_be(filled: str, tmp_path: Path, sql: str, most: dict[str, int]) -> None:
    act(filled, 'DELETE FROM core."Phone ä" WHERE id <> person', 'ANALYZE core."Phone ä"')
    before = scans(filled)
    forth(filled, str(plan(tmp_path, sql).folder))
    after = scans(filled)
    read = {table: after[table] - before[table] for table in after}
    assert {table: times for table, times in read.items() if times and table != "kinds"} == most


def test_rows_in_the_way_are_known_before_the_step(filled: str, tmp_path: Path) -> None:
    sql = """ALTER TABLE core.notes ADD CONSTRAINT c CHECK (id > 7);
ALTER TABLE core."Phone ä" ADD CONSTRAINT u UNIQUE (person), ALTER kind SET NOT NULL"""
    loaded = plan(tmp_path, sql)
    with psycopg.connect(filled, autocommit=True) as conn:
        found = hazards.of_phase(loaded, loaded.plan.phases[0], conn, timedelta(seconds=20)).findings
    told = {(finding.code, finding.where.rpartition("/")[2]): finding.what for finding in found}
    assert "7 rows" in told["LG423", "plan.yaml:6:11"]
    assert "400 rows" in told["LG421", "plan.yaml:7:11"]
    assert any("100 rows" in what for (_, where), what in told.items() if where == "plan.yaml:7:11")


def test_a_row_that_came_after_the_look_is_told_at_its_constraint(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = """ALTER TABLE core."Phone ä" ADD CONSTRAINT sound CHECK (id > 0);
ALTER TABLE core."Phone ä" ADD CONSTRAINT few CHECK (id < 399)"""
    monkeypatch.setattr(Violations, "refuse", lambda *_: None)
    with pytest.raises(DatabaseError, match=r"VALIDATE \.\.\. failed") as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert str(refused.value.where).endswith("plan.yaml:7:11")
    monkeypatch.undo()
    act(filled, 'DELETE FROM core."Phone ä" WHERE id >= 399')
    forth(filled, str(tmp_path))
    assert all(rows(filled, "SELECT convalidated FROM pg_constraint WHERE conname IN ('sound', 'few')"))
    assert len(one(filled, FACTS)["added"]) == 2


def test_rows_are_written_while_the_constraint_is_proved(filled: str, tmp_path: Path) -> None:
    """A proof that took more than SHARE UPDATE EXCLUSIVE would wait here for the writer until it gave up."""
    act(filled, "INSERT INTO core.\"Phone ä\" SELECT 1, 1, 'n1' FROM generate_series(1, 20000)")
    slow = """
        CREATE FUNCTION core.slow(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(77); RETURN $1 IS NOT NULL; END $$
    """
    act(filled, slow)
    loaded = plan(tmp_path, 'ALTER TABLE core."Phone ä" ADD CONSTRAINT c CHECK (core.slow("No ""x"" ä"))')
    with psycopg.connect(filled) as gate, psycopg.connect(filled, autocommit=True) as seeing:
        worker = threading.Thread(target=runner.apply, args=(loaded, sessions(filled)))
        gate.execute("SELECT pg_advisory_lock(77)")
        worker.start()
        _proving(seeing, gate)
        with psycopg.connect(filled) as writer:
            writer.execute("SET lock_timeout = '100ms'")
            writer.execute('DELETE FROM core."Phone ä" WHERE id = 2')
        gate.execute("SELECT pg_advisory_unlock(77)")
        worker.join()
    assert one(filled, "SELECT convalidated FROM pg_constraint WHERE conname = 'c'") is True


def test_a_proof_that_is_stopped_is_gone_on_with(filled: str, tmp_path: Path) -> None:
    slow = """
        CREATE OR REPLACE FUNCTION core.slow(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep({}) WHERE current_query() LIKE '%VALIDATE%'; RETURN $1 > 0; END $$
    """
    act(filled, slow.format(0.1))
    sql = 'ALTER TABLE core."Phone ä" ADD CONSTRAINT c CHECK (core.slow(id)), ALTER during SET NOT NULL'
    loaded, stop = plan(tmp_path, sql), threading.Event()
    results: list[RunResult] = []

    def work() -> None:
        results.append(runner.apply(loaded, sessions(filled), stop=stop))

    worker = threading.Thread(target=work)
    worker.start()
    proving = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'ALTER % VALIDATE %'"
    )
    while worker.is_alive() and not one(filled, proving):
        time.sleep(0.01)
    stop.set()
    worker.join()
    act(filled, slow.format(0))
    (stopped,) = results
    assert stopped.outcome is Outcome.INTERRUPTED
    assert str(stopped.why).endswith(
        'Stopped while the constraint c of core."Phone ä" and the constraint "Phone ä_during_not_null" of '
        'core."Phone ä" were proved'
    )
    forth(filled, str(tmp_path))
    assert one(filled, "SELECT convalidated FROM pg_constraint WHERE conname = 'c'") is True
    assert ('core."Phone ä"', "during") in rows(filled, NOT_NULL)
    assert one(filled, "SELECT count(*) FROM pg_constraint WHERE conname LIKE '%during%' AND contype = 'c'") == 0


def _proving(seeing: psycopg.Connection[Any], gate: psycopg.Connection[Any]) -> None:
    """Let the counting pass, and wait until rows are read to prove."""
    query = """
        SELECT query FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE l.locktype = 'advisory' AND l.objid = 77 AND NOT l.granted
    """
    while True:
        found = seeing.execute(query).fetchone()
        if found is not None and "VALIDATE" in found[0]:
            return
        if found is not None:
            gate.execute("SELECT pg_advisory_unlock(77)")
            gate.execute("SELECT pg_advisory_lock(77)")
