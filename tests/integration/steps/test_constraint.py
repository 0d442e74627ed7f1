"""Step ``constraint``: added and proved beside writers, killed anywhere, taken back; partitioned tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.strong import StrongLock
from lockgate.errors import DatabaseError, PlanError
from lockgate.steps import REGISTRY
from tests.integration.engine.plans import QUICK, act, back, expire, forth, one, rows, sessions, write_plan
from tests.integration.steps.constrained import FACTS, TABLES, plan, state
from tests.killing import Due, call, every_point

PLANS = "tests.integration.engine.plans"
PLAN = r"""
phases:
  - id: sounder
    steps:
      - constraint: |
          ALTER TABLE core."Phone ä"
            ADD CONSTRAINT "U ü" UNIQUE NULLS NOT DISTINCT (person, "No ""x"" ä") INCLUDE (id) WITH (fillfactor = 80)
              DEFERRABLE INITIALLY DEFERRED,
            ADD CONSTRAINT "has a number" CHECK ("No ""x"" ä" ~ '^n\d+$'),
            ADD CONSTRAINT of_kind FOREIGN KEY (kind) REFERENCES core.kinds ON DELETE SET NULL;
          ALTER TABLE core."Phone ä" ALTER COLUMN "No ""x"" ä" SET NOT NULL;
          ALTER TABLE core."Phone ä" ADD CONSTRAINT pk PRIMARY KEY (id);
          ALTER TABLE core.notes
            ADD CONSTRAINT notes_pk PRIMARY KEY (id, day, kind),
            ADD CONSTRAINT notes_kind FOREIGN KEY (kind) REFERENCES core.kinds (code),
            ADD CONSTRAINT notes_body CHECK (length(body) < 9),
            ALTER COLUMN body SET NOT NULL;
          ALTER TABLE core.notes ADD CONSTRAINT notes_type FOREIGN KEY (kind) REFERENCES core.types;
        skip_missing: {notes_type: the types come later}
"""
STAND_IN = '"No ""x"" ä_not_null"'
EVIDENCE = "SELECT payload -> 'result' FROM lockgate.chain WHERE payload ->> 'name' = %s"


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, TABLES)
    return dsn


def test_constraints_are_added_proved_and_taken_back(filled: str, tmp_path: Path) -> None:
    before = state(filled)
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    after = state(filled)
    constraints, not_null, indexes = after
    assert all(row[3] for row in constraints)
    named = {row[4]: row[2] for row in constraints if row[4] is not None}
    assert set(named) == {"kinds_pkey", "U ü", "has a number", "of_kind", "pk", "notes_pk", "notes_kind", "notes_body"}
    assert named["of_kind"].endswith("REFERENCES core.kinds(code) ON DELETE SET NULL")
    assert named["U ü"].endswith("DEFERRABLE INITIALLY DEFERRED")
    assert [row[0] for row in not_null if row[1] == "body"] == [
        "core.notes",
        "core.notes_1",
        "core.notes_2",
        "core.notes_2_a",
        "core.notes_2_x",
    ]
    assert {('core."Phone ä"', 'No "x" ä'), ('core."Phone ä"', "id"), ("core.notes_2_x", "day")} <= set(not_null)
    assert all(row[2] for row in indexes)
    assert [row[1] for row in indexes if "fillfactor='80'" in row[1] and "NULLS NOT DISTINCT" in row[1]]
    facts = one(filled, FACTS)
    assert facts["skipped"] == {"notes_type": "the types come later"}
    assert len(facts["added"]) == 9
    with psycopg.connect(filled) as conn:
        (told,) = conn.execute(EVIDENCE, ("skipped:notes_type",)).fetchone() or ()
    assert told == {"refers to": "core.types", "referenced": None, "skipped_because": "the types come later"}
    back(filled, str(tmp_path))
    assert state(filled) == before
    forth(filled, str(tmp_path))
    assert state(filled) == after


@pytest.mark.slow
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
    mine = ("constraint.", "index.", "alone.")
    points = [point for point in every_point(there.points, most=2) if point.startswith(mine)]
    names = {point.split(":")[0] for point in points}
    assert {f"constraint.{name}" for name in ("added", "proved", "standing_in", "stood_in", "whole")} <= names
    every = due("abc") == "abc"
    for number, point in enumerate(due(points)):
        for finish in (forth, back) if every else (forth, back)[number % 2 :][:1]:
            assert call(f"{PLANS}:forth", filled, folder, fault=point).killed, point
            expire(filled)
            finish(filled, folder)
            if finish is forth:
                assert state(filled) == after, point
                back(filled, folder)
            assert state(filled) == before, point
    for point in due([point for point in every_point(gone.points, most=2) if point.startswith(mine)]):
        forth(filled, folder)
        assert call(f"{PLANS}:back", filled, folder, fault=point).killed, point
        expire(filled)
        back(filled, folder)
        assert state(filled) == before, point


def test_an_exclusion_constraint_is_added_while_the_table_is_small(filled: str, tmp_path: Path) -> None:
    sql = 'ALTER TABLE core."Phone ä" ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&)'
    before = state(filled)
    runner.apply(plan(tmp_path, sql), sessions(filled))
    assert one(filled, "SELECT convalidated FROM pg_constraint WHERE conname = 'apart'") is True
    back(filled, str(tmp_path))
    assert state(filled) == before
    act(filled, 'INSERT INTO core."Phone ä" (during) SELECT int4range(g, g + 1) FROM generate_series(1000, 40000) g')
    with pytest.raises(DatabaseError, match="beside writers") as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled, QUICK))
    assert "lock_timeout" in str(refused.value.why)
    assert state(filled) == before


def test_a_missing_table_is_an_error_where_nobody_said_why(filled: str, tmp_path: Path) -> None:
    sql = "ALTER TABLE core.notes ADD CONSTRAINT f FOREIGN KEY (kind) REFERENCES core.types"
    with pytest.raises(DatabaseError, match=r"no table core\.types") as refused:
        runner.apply(plan(tmp_path, sql), sessions(filled))
    assert "skip_missing" in str(refused.value.hint)
    act(filled, "CREATE TABLE core.types AS TABLE core.kinds", "ALTER TABLE core.types ADD PRIMARY KEY (code)")
    runner.apply(plan(tmp_path, sql, "{f: later}"), sessions(filled))
    assert one(filled, "SELECT count(*) FROM pg_constraint WHERE confrelid = 'core.types'::regclass") >= 5


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("DROP TABLE core.kinds", "adds no constraint"),
        ("ALTER TABLE core.kinds ADD COLUMN x int", "something else"),
        ("ALTER TABLE core.kinds ADD CHECK (code > '')", "has no name"),
        ("ALTER TABLE IF EXISTS core.kinds ADD CONSTRAINT c CHECK (code > '')", "IF EXISTS"),
        ("ALTER TABLE ONLY core.kinds ADD CONSTRAINT c CHECK (code > '')", "ONLY"),
        ("ALTER TABLE core.kinds ADD CONSTRAINT c CHECK (code > '') NOT VALID", "NOT VALID"),
        ("ALTER TABLE core.kinds ADD CONSTRAINT c UNIQUE USING INDEX i", "USING INDEX"),
        ("ALTER TABLE core.kinds ADD CONSTRAINT c CHECK (code > ''), ADD CONSTRAINT c CHECK (code < 'z')", "twice"),
        ("ALTER DOMAIN core.d ADD CONSTRAINT c CHECK (value > '')", "adds no constraint"),
    ],
)
def test_what_cannot_be_added_so_is_said_before_anything_is_done(
    filled: str, tmp_path: Path, sql: str, what: str
) -> None:
    before = state(filled)
    with pytest.raises(PlanError, match=what) as refused:
        runner.apply(plan(tmp_path, f"ALTER TABLE core.kinds ALTER code SET NOT NULL;\n{sql}"), sessions(filled))
    assert re.search(r"plan\.yaml:\d+:11", str(refused.value.where))
    assert state(filled) == before


def test_a_reason_for_what_is_no_foreign_key(filled: str, tmp_path: Path) -> None:
    sql = "ALTER TABLE core.notes ADD CONSTRAINT fk FOREIGN KEY (kind) REFERENCES core.types"
    with pytest.raises(PlanError, match="did you mean `fk`"):
        runner.apply(plan(tmp_path, sql, "{fkk: later}"), sessions(filled))


def test_a_constraint_of_that_name_is_not_taken_for_ones_own(filled: str, tmp_path: Path) -> None:
    act(filled, "ALTER TABLE core.notes ADD CONSTRAINT c CHECK (id > 0)")
    before = state(filled)
    with pytest.raises(DatabaseError, match="exists already"):
        runner.apply(plan(tmp_path, "ALTER TABLE core.notes ADD CONSTRAINT c CHECK (id > -1)"), sessions(filled))
    assert state(filled) == before


def test_what_cannot_be_added_is_said_before_anything_is(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        "CREATE FOREIGN DATA WRAPPER far",
        "CREATE SERVER away FOREIGN DATA WRAPPER far",
        "CREATE TABLE core.parts (id int, day date) PARTITION BY RANGE (day)",
        "CREATE FOREIGN TABLE core.part PARTITION OF core.parts DEFAULT SERVER away",
        "ALTER TABLE core.kinds ADD CONSTRAINT c CHECK (code > '')",
    )
    before = state(filled)
    for last, why in (
        ("ALTER TABLE core.parts ALTER id SET NOT NULL", "foreign table"),
        ("ALTER TABLE core.kinds ADD CONSTRAINT c UNIQUE (code)", "did not add it"),
    ):
        sql = f"ALTER TABLE core.notes ADD CONSTRAINT sound CHECK (id > 0);\n{last}"
        with pytest.raises(DatabaseError) as refused:
            runner.apply(plan(tmp_path, sql), sessions(filled))
        assert why in str(refused.value.why)
        assert str(refused.value.where).endswith("plan.yaml:7:11")
        assert state(filled) == before


def test_what_is_not_null_already_stays_so_when_the_step_is_taken_back(filled: str, tmp_path: Path) -> None:
    act(filled, "ALTER TABLE core.notes ALTER day SET NOT NULL")
    before = state(filled)
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    back(filled, str(tmp_path))
    assert state(filled) == before
    runner.apply(plan(tmp_path / "again", "ALTER TABLE core.notes ALTER day SET NOT NULL"), sessions(filled))
    assert rows(filled, f"{FACTS} ORDER BY seq DESC LIMIT 1")[0][0]["added"] == []


def test_the_plan_says_what_would_be_done(filled: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    step = loaded.plan.phases[0].steps[0]
    with psycopg.connect(filled) as conn:
        said = REGISTRY[type(step)].describe(conn, loaded, loaded.plan.phases[0], step)
    assert any(line.startswith("CREATE UNIQUE INDEX CONCURRENTLY") for line in said)
    assert [line for line in said if " VALIDATE " in line] == [
        f'ALTER TABLE core."Phone ä" VALIDATE CONSTRAINT "has a number", VALIDATE CONSTRAINT {STAND_IN}, '
        "VALIDATE CONSTRAINT id_not_null",
        "ALTER TABLE core.notes VALIDATE CONSTRAINT notes_body, VALIDATE CONSTRAINT id_not_null, "
        "VALIDATE CONSTRAINT day_not_null, VALIDATE CONSTRAINT kind_not_null, VALIDATE CONSTRAINT body_not_null",
        'ALTER TABLE core."Phone ä" VALIDATE CONSTRAINT of_kind',
        "ALTER TABLE core.notes VALIDATE CONSTRAINT notes_kind",
    ]
    assert [line for line in said if "on each partition" in line] == [
        f"{what}: on each partition first; then the whole table takes it over"
        for what in (
            "constraint notes_pk of core.notes",
            "constraint notes_kind of core.notes",
            "NOT NULL of core.notes.body",
        )
    ]
    assert said[-1] == "constraint notes_type of core.notes: skipped, core.types is not there (the types come later)"


def test_nobody_hears_that_a_commit_succeeded(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what was done is done again."""
    once = StrongLock.do

    def twice(self: StrongLock, work: Callable[[psycopg.Connection[Any]], Any]) -> Any:
        once(self, work)
        return once(self, work)

    before = state(filled)
    write_plan(tmp_path, PLAN)
    forth(filled, str(tmp_path))
    after = state(filled)
    back(filled, str(tmp_path))
    monkeypatch.setattr("lockgate.engine.strong.StrongLock.do", twice)
    forth(filled, str(tmp_path))
    assert state(filled) == after
    back(filled, str(tmp_path))
    assert state(filled) == before
