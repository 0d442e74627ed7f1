from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import DatabaseError, ExitCode, LockgateError, RollbackRefused, UsageError
from tests.integration.engine.plans import one, rows, sessions, write_plan

PLAN = """
phases:
  - id: first
    steps: [{sql: CREATE TABLE one (x int), id: one}]
    undo: [{sql: DROP TABLE one}]
  - id: second
    steps: [{sql: CREATE TABLE two (x int), id: two}, {analyze: [public.two]}]
    undo: [{sql: u.sql}]
  - id: third
    steps: [{analyze: [public.one]}]
"""
UNDO = "DROP TABLE IF EXISTS two"


def apply(dsn: str, folder: Path, text: str = PLAN, undo: str = UNDO, **options: Any) -> runner.RunResult:
    return runner.apply(write_plan(folder, text, u=undo), sessions(dsn), **options)


def rollback(dsn: str, folder: Path, text: str = PLAN, undo: str = UNDO, **options: Any) -> runner.RunResult:
    return runner.rollback(write_plan(folder, text, u=undo), sessions(dsn), **options)


def states(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT phase, state FROM lockgate.phases"))


def fill(dsn: str, table: str, count: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"INSERT INTO {table} SELECT generate_series(1, {count})".encode())


def test_takes_back_the_phase_that_began_last(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    assert rollback(dsn, tmp_path).phases == ("third",)
    assert rollback(dsn, tmp_path).phases == ("second",)
    assert states(dsn) == {"first": "done", "second": "undone", "third": "undone"}
    assert (one(dsn, "SELECT to_regclass('one')"), one(dsn, "SELECT to_regclass('two')")) == ("one", None)


def test_takes_back_all_after_a_phase(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    result = rollback(dsn, tmp_path, to="first")
    assert (result.phases, result.exit_code) == (("third", "second"), ExitCode.DONE)
    assert rollback(dsn, tmp_path, to="first").phases == ()


def test_takes_back_everything_and_does_it_again(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    assert rollback(dsn, tmp_path, to=BEGINNING).phases == ("third", "second", "first")
    assert apply(dsn, tmp_path).phases == ("first", "second", "third")
    assert rollback(dsn, tmp_path, to=BEGINNING).phases == ("third", "second", "first")
    assert one(dsn, "SELECT count(*) FROM lockgate.chain WHERE step = 'undo:1'") == 4


def test_a_phase_without_undo_stays_and_so_does_all_after_it(dsn: str, tmp_path: Path) -> None:
    text = PLAN.replace("    undo: [{sql: DROP TABLE one}]\n", "")
    apply(dsn, tmp_path, text)
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, tmp_path, text, to=BEGINNING)
    assert caught.value.where == "plan.yaml:4:5"
    assert "no `undo`" in str(caught.value.why)
    assert states(dsn)["third"] == "done"
    rollback(dsn, tmp_path, PLAN, to=BEGINNING)  # the undo may be written afterwards
    assert set(states(dsn).values()) == {"undone"}


def test_lists_the_rows_that_would_be_lost(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    fill(dsn, "one", 3)
    fill(dsn, "two", 4)
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, tmp_path, to=BEGINNING)
    assert "lose 7 rows" in caught.value.what
    assert "two: 4 rows, dropped by the undo of second" in str(caught.value.why)
    assert "one: 3 rows, dropped by the undo of first" in str(caught.value.why)
    assert set(states(dsn).values()) == {"done"}
    rollback(dsn, tmp_path, to=BEGINNING, lose_rows=True)
    assert set(states(dsn).values()) == {"undone"}


def test_an_undo_that_fails_is_mended_and_goes_on_without_asking_again(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path, to="second")
    fill(dsn, "two", 4)
    with pytest.raises(DatabaseError) as caught:
        rollback(dsn, tmp_path, undo="DROP TABLE tow", lose_rows=True)
    assert caught.value.where == "u.sql:1:1"
    assert "write IF EXISTS into its undo" in str(caught.value.hint)
    assert states(dsn)["second"] == "undoing"
    with pytest.raises(LockgateError, match="is being undone"):
        apply(dsn, tmp_path)
    assert rollback(dsn, tmp_path).phases == ("second",)


def test_takes_back_what_a_failed_phase_had_done(dsn: str, tmp_path: Path) -> None:
    text = PLAN.replace("{analyze: [public.two]}", "{sql: SELECT nonsense, id: bad}")
    with pytest.raises(DatabaseError):
        apply(dsn, tmp_path, text)
    assert rollback(dsn, tmp_path, text).phases == ("second",)
    assert one(dsn, "SELECT to_regclass('two')") is None
    apply(dsn, tmp_path)
    assert set(states(dsn).values()) == {"done"}


def test_a_transaction_that_failed_has_nothing_to_be_undone(dsn: str, tmp_path: Path) -> None:
    text = PLAN.replace("CREATE TABLE two (x int)", "SELECT nonsense")
    with pytest.raises(DatabaseError):
        apply(dsn, tmp_path, text)
    assert rollback(dsn, tmp_path, text, undo="SELECT 1/0").phases == ("second",)


def test_says_which_phases_there_are(dsn: str, tmp_path: Path) -> None:
    apply(dsn, tmp_path)
    with pytest.raises(UsageError) as caught:
        rollback(dsn, tmp_path, to="nowhere")
    assert "first, second, third" in str(caught.value.hint)
