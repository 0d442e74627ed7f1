"""What going back would lose of the application's: it is counted before anything is done, whatever the plan is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import losing, phases, runner, undoing
from lockgate.engine.losing import Prospect
from lockgate.errors import RollbackRefused
from lockgate.steps import filling
from tests.integration.engine.plans import QUICK, one, rows, sessions, write_plan

OLD = """
CREATE SCHEMA old; CREATE TABLE old.a (id int PRIMARY KEY, e text);
INSERT INTO old.a SELECT n, 'a' || n FROM generate_series(1, 10) AS n
"""
NEW = "CREATE SCHEMA new; CREATE TABLE new.t (k int PRIMARY KEY, e text)"
MAP = "{map: ma, into: new.t, key: [k], from: old.a, select: 'SELECT s.id AS k, s.e FROM old.a s'}"
SECOND = (
    MAP.replace("map: ma", "map: mb")
    .replace("s.id AS", "-s.id AS")
    .replace("from: old.a", "from: old.a, winner: [s.id]")
)
PLAN = f"phases: [{{id: one, steps: [{MAP}], undo: []}}]"


def run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def apply(dsn: str, folder: Path, text: str = PLAN) -> None:
    runner.apply(write_plan(folder, text), sessions(dsn, QUICK))


def rollback(dsn: str, folder: Path, text: str = PLAN, **options: Any) -> None:
    runner.rollback(write_plan(folder, text), sessions(dsn, QUICK), **options)


def prospect(dsn: str, folder: Path, text: str = PLAN, to: str | None = None) -> Prospect:
    loaded = write_plan(folder, text)
    with sessions(dsn).open("test") as conn:
        wanted = undoing.to_undo(loaded, phases.states(conn, "shop"), to)
        return losing.look(conn, loaded, wanted)


def refused(dsn: str, folder: Path, text: str = PLAN, **options: Any) -> str:
    """What the refusal of a rollback says; nothing was done."""
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, folder, text, **options)
    assert not rows(dsn, "SELECT 1 FROM lockgate.phases WHERE state IN ('undoing', 'undone')")
    assert not rows(dsn, "SELECT 1 FROM lockgate.sync_targets WHERE state = 'off'")
    return f"{caught.value.what}: {caught.value.why}"


def test_rows_of_a_table_that_two_mappings_fill_and_the_undo_drops(dsn: str, tmp_path: Path) -> None:
    text = f"phases: [{{id: one, steps: [{{sql: {NEW}}}, {MAP}, {SECOND}], undo: [{{sql: DROP SCHEMA new CASCADE}}]}}]"
    text = text.replace(f"sql: {NEW}", f'sql: "{NEW}"')
    run(dsn, OLD)
    apply(dsn, tmp_path, text)
    run(dsn, "INSERT INTO new.t VALUES (101, 'mine'), (102, 'mine')")
    assert "new.t: 2 rows, born in the new model" in refused(dsn, tmp_path, text)
    run(dsn, "DELETE FROM new.t WHERE k > 100", "DELETE FROM old.a WHERE id = 3")
    rollback(dsn, tmp_path, text)
    assert one(dsn, "SELECT to_regclass('new.t')") is None


def test_rows_that_say_what_the_old_model_says_are_not_lost_with_their_table(dsn: str, tmp_path: Path) -> None:
    """An application that writes both models makes them in the new one a moment before."""
    text = f"phases: [{{id: one, steps: [{MAP}], undo: [{{sql: DROP TABLE new.t}}]}}]"
    text = text.replace(f"steps: [{MAP}]", f"steps: [{{sql: SELECT 1}}, {MAP}]")
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'a1'), (2, 'a2')")
    apply(dsn, tmp_path, text)
    assert prospect(dsn, tmp_path, text).losses == []
    rollback(dsn, tmp_path, text)
    run(dsn, NEW.split(";")[1], "INSERT INTO new.t VALUES (1, 'a1'), (2, 'mine')")
    apply(dsn, tmp_path, text)
    assert "new.t: 1 rows, there before the old model came to decide them" in refused(dsn, tmp_path, text)


def test_mappings_of_several_phases_are_counted_together(dsn: str, tmp_path: Path) -> None:
    text = f"""
    phases:
      - {{id: make, steps: [{{sql: "{NEW}"}}], undo: [{{sql: DROP TABLE new.t}}, {{sql: DROP SCHEMA new}}]}}
      - {{id: one, steps: [{MAP}], undo: []}}
      - {{id: two, steps: [{SECOND}], undo: []}}
    """
    run(dsn, OLD)
    apply(dsn, tmp_path, text)
    run(dsn, "INSERT INTO new.t VALUES (101, 'mine')")
    assert prospect(dsn, tmp_path, text).losses == [], "what was born stays with the first mapping"
    assert "lose 1 rows: new.t: 1 rows, born" in refused(dsn, tmp_path, text, to=undoing.BEGINNING)
    rollback(dsn, tmp_path, text)
    assert rows(dsn, "SELECT k FROM new.t WHERE k < 1 OR k > 100") == [(101,)]
    rollback(dsn, tmp_path, text, to=undoing.BEGINNING, lose_rows=True)
    assert one(dsn, "SELECT to_regclass('new.t')") is None


def test_what_a_killed_rollback_left_is_none_of_the_application(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a mapping that the ledger does not know any more."""
    text = f"phases: [{{id: one, steps: [{MAP}, {SECOND}], undo: [{{sql: DROP TABLE new.t}}]}}]"
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path, text)

    def killed(point: str) -> None:
        if point == "undo.forgotten":
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(filling, "fault", killed)
        with pytest.raises(RuntimeError, match="killed"):
            rollback(dsn, tmp_path, text)
    run(dsn, "INSERT INTO new.t VALUES (100, 'mine')")
    with pytest.raises(RollbackRefused, match="lose 1 rows"):
        rollback(dsn, tmp_path, text)
    run(dsn, "DELETE FROM new.t WHERE k = 100")
    rollback(dsn, tmp_path, text)
    assert one(dsn, "SELECT to_regclass('new.t')") is None


def test_rows_of_a_table_that_is_not_kept_in_step(dsn: str, tmp_path: Path) -> None:
    text = PLAN.replace("from: old.a", "from: old.a, sync: none")
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (500, 'before'), (1, 'mine')")
    apply(dsn, tmp_path, text)
    run(dsn, "INSERT INTO new.t VALUES (600, 'after')")
    said = refused(dsn, tmp_path, text)
    assert "1 rows, born in the new model" in said
    assert "1 rows, no mapping yields them" in said
    assert "nothing is logged there" in prospect(dsn, tmp_path, text).unknown[0]
    run(dsn, "DELETE FROM new.t WHERE k >= 500")
    rollback(dsn, tmp_path, text)
    assert rows(dsn, "SELECT * FROM new.t") == [(1, "mine")]


def test_rows_that_no_trigger_saw(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(
        dsn,
        "ALTER TABLE new.t DISABLE TRIGGER ALL",
        "INSERT INTO new.t VALUES (500, 'mine')",
        "ALTER TABLE new.t ENABLE TRIGGER ALL",
    )
    assert "lose 1 rows: new.t: 1 rows, no mapping yields them" in refused(dsn, tmp_path)


def test_rows_whose_source_is_gone_are_none_of_the_application(dsn: str, tmp_path: Path) -> None:
    """Nobody has applied it yet."""
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(dsn, "DELETE FROM old.a WHERE id < 4", "UPDATE old.a SET id = 50 WHERE id = 5")
    assert prospect(dsn, tmp_path).losses == []
    rollback(dsn, tmp_path)
    assert rows(dsn, "SELECT * FROM new.t") == []


def test_rows_that_go_with_others(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(
        dsn,
        "CREATE TABLE new.orders (id int PRIMARY KEY, k int REFERENCES new.t ON DELETE CASCADE)",
        "CREATE TABLE new.lines (id int, o int REFERENCES new.orders ON DELETE CASCADE)",
        "CREATE TABLE new.notes (id int, k int REFERENCES new.t ON DELETE SET NULL)",
        "INSERT INTO new.orders VALUES (1, 1), (2, 2), (3, NULL)",
        "INSERT INTO new.lines VALUES (1, 1), (2, 1), (3, 2), (4, 3)",
        "INSERT INTO new.notes VALUES (1, 3)",
    )
    said = refused(dsn, tmp_path)
    assert 'new.orders: 2 rows, go with rows of new.t by foreign key "orders_k_fkey"' in said
    assert "new.lines: 3 rows, go with rows of new.t" in said
    assert "new.notes: 1 rows, lose what they refer to in new.t" in said
    rollback(dsn, tmp_path, lose_rows=True)
    assert rows(dsn, "SELECT id FROM new.orders") == [(3,)]


def test_rows_that_keep_others_from_being_removed(dsn: str, tmp_path: Path) -> None:
    """Said before anything is done: half taken back, nothing could go on."""
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(
        dsn,
        "CREATE TABLE new.orders (id int PRIMARY KEY, k int REFERENCES new.t)",
        "INSERT INTO new.orders VALUES (1, 1), (2, NULL)",
    )
    for lose_rows in (False, True):
        said = refused(dsn, tmp_path, lose_rows=lose_rows)
        assert "1 rows of new.orders refer to rows of new.t that would be removed" in said
    apply(dsn, tmp_path)
    run(dsn, "DELETE FROM new.orders WHERE id = 1")
    rollback(dsn, tmp_path)
    assert rows(dsn, "SELECT id FROM new.orders") == [(2,)]


def test_other_tables_of_a_schema_that_is_dropped(dsn: str, tmp_path: Path) -> None:
    text = f"""
    phases:
      - id: one
        steps: [{{sql: "{NEW}; ALTER TABLE new.t ADD note text, ADD made timestamptz DEFAULT now()"}}, {MAP}]
        undo: [{{sql: DROP SCHEMA new CASCADE}}]
    """
    run(dsn, OLD)
    apply(dsn, tmp_path, text)
    assert prospect(dsn, tmp_path, text).losses == []
    assert prospect(dsn, tmp_path, text).unknown == ["values in made of rows that were migrated into new.t"]
    run(
        dsn,
        "CREATE TABLE new.orders (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE new.few PARTITION OF new.orders FOR VALUES FROM (0) TO (10)",
        "INSERT INTO new.orders VALUES (1), (2)",
        "UPDATE new.t SET note = 'precious' WHERE k = 1",
    )
    said = refused(dsn, tmp_path, text)
    assert "lose 3 rows" in said
    assert "new.orders: 2 rows, dropped by the undo of one" in said
    assert "new.t: 1 rows, with values in note, which no mapping decides" in said
    rollback(dsn, tmp_path, text, lose_rows=True)
    assert one(dsn, "SELECT to_regnamespace('new')") is None


def test_what_the_plan_itself_wrote_is_none_of_the_application(dsn: str, tmp_path: Path) -> None:
    """By `on_insert`, by a default, and by a transform."""
    more = MAP.replace("from: old.a", "from: old.a, on_insert: {kind: \"'made'\"}")
    text = f"""
    phases:
      - id: one
        steps:
          - {more}
          - transform: lengths
            table: new.t
            key: [k]
            from: new.t
            select: SELECT t.k, length(t.e) AS length FROM new.t t
        undo: []
    """
    run(dsn, OLD, NEW, "ALTER TABLE new.t ADD kind text, ADD amount numeric(10, 2) DEFAULT 0, ADD length int")
    apply(dsn, tmp_path, text)
    assert prospect(dsn, tmp_path, text) == Prospect([], [])
    run(dsn, "UPDATE new.t SET amount = 5 WHERE k = 1", "UPDATE new.t SET kind = NULL WHERE k = 2")
    assert "new.t: 2 rows, with values in kind, amount" in refused(dsn, tmp_path, text)


def test_a_partition_that_the_application_attached(dsn: str, tmp_path: Path) -> None:
    run(
        dsn,
        OLD,
        "CREATE SCHEMA new; CREATE TABLE new.t (k int PRIMARY KEY, e text) PARTITION BY RANGE (k)",
        "CREATE TABLE new.t1 PARTITION OF new.t FOR VALUES FROM (0) TO (100)",
    )
    apply(dsn, tmp_path)
    run(
        dsn,
        "CREATE TABLE new.t2 (k int PRIMARY KEY, e text); INSERT INTO new.t2 VALUES (150, 'mine')",
        "ALTER TABLE new.t ATTACH PARTITION new.t2 FOR VALUES FROM (100) TO (200)",
    )
    assert "new.t: 1 rows, no mapping yields them" in refused(dsn, tmp_path)


def test_rows_that_the_old_model_came_to_decide_are_put_back(dsn: str, tmp_path: Path) -> None:
    """Of all types, as they were; those that the application removed itself are not."""
    run(
        dsn,
        OLD,
        "CREATE SCHEMA new; CREATE TABLE new.t (k int PRIMARY KEY, e text, x numeric, f float8, c char(5), a text[], "
        "j jsonb, g int GENERATED ALWAYS AS (k + 1) STORED, i int GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO new.t (k, e, x, f, c, a, j) VALUES "
        r"(1, 'it''s \mine', 1.50, 0.1, 'ab', '{a,NULL}', '[1]'), "
        "(2, NULL, 'NaN', 'Infinity', NULL, NULL, 'null'), (3, 'x', 1, 1, 'c', '{}', '1'), "
        "(4, 'a4', 1, 1, '', NULL, '1')",
    )
    before = rows(dsn, "SELECT t::text FROM new.t t WHERE k <> 3 ORDER BY k")
    apply(dsn, tmp_path)
    assert rows(dsn, "SELECT e FROM new.t WHERE k < 4 ORDER BY k") == [("a1",), ("a2",), ("a3",)]
    run(dsn, "DELETE FROM old.a WHERE id IN (1, 3)")
    apply(dsn, tmp_path)
    run(dsn, "INSERT INTO new.t (k, e) VALUES (3, 'again')", "DELETE FROM new.t WHERE k = 3")
    assert prospect(dsn, tmp_path).losses == []
    rollback(dsn, tmp_path)
    assert rows(dsn, "SELECT t::text FROM new.t t WHERE k <> 3 ORDER BY k") == before
