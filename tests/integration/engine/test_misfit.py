"""Taking back what cannot be compiled any more: what can be told is done, what cannot be told counts as lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.engine import undoing
from lockgate.errors import RollbackRefused
from lockgate.steps import filling
from tests.integration.engine.plans import one, rows
from tests.integration.engine.test_lost_rows import MAP, NEW, OLD, PLAN, SECOND, apply, refused, rollback, run

WHOLE = f'phases: [{{id: one, steps: [{{sql: "{NEW}"}}, {MAP}], undo: [{{sql: DROP SCHEMA new CASCADE}}]}}]'
CHANGE = """
phases:
  - id: one
    steps:
      - transform: shout
        table: new.t
        key: [k]
        from: old.a
        select: SELECT s.id AS k, upper(s.e) AS e FROM old.a s
    undo: []
"""
LEFT = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace AND relkind IN ('r', 'S') "
    r"AND relname ~ '^(log|recheck|born|before|replaced)_\d' "
    r"UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'lockgate'::regnamespace AND proname ~ '^log_\d' "
    "UNION ALL SELECT name FROM lockgate.sync_targets UNION ALL SELECT name FROM lockgate.mappings "
    "UNION ALL SELECT label FROM lockgate.logs "
    r"UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ '^lockgate_log'"
)
TOLD = "of which nobody can tell whether the old model has them, too: "


def nothing_left(dsn: str) -> bool:
    return rows(dsn, LEFT) == [] and rows(dsn, "SELECT DISTINCT state FROM lockgate.phases") == [("undone",)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DROP TABLE old.a", 'there is no table "old.a"'),
        ("ALTER TABLE old.a RENAME TO b", 'there is no table "old.a"'),
        ("ALTER TABLE old.a RENAME e TO f", "column s.e does not exist"),
        ("ALTER TABLE new.t DROP COLUMN e CASCADE", 'new.t has no column "e"'),
        ("ALTER TABLE new.t ALTER e TYPE int USING 1", 'what the SELECT yields for "e" does not fit new.t'),
        (
            "ALTER TABLE new.t ADD n int NOT NULL DEFAULT 1; ALTER TABLE new.t ALTER n DROP DEFAULT",
            'column "n" of new.t is NOT NULL',
        ),
    ],
)
def test_rows_count_as_lost_that_the_old_model_cannot_be_asked_for(
    dsn: str, tmp_path: Path, change: str, why: str
) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    if change.startswith("ALTER TABLE new.t ALTER"):  # the server keeps a column that a trigger's condition names
        run(dsn, "DROP TRIGGER lockgate_log_1_update ON new.t")
    run(dsn, change)
    said = refused(dsn, tmp_path)
    assert f"lose 10 rows: new.t: 10 rows, {TOLD}" in said
    assert why in said
    rollback(dsn, tmp_path, lose_rows=True)
    assert one(dsn, "SELECT count(*) FROM new.t") == 0
    assert nothing_left(dsn)


def test_the_refusal_says_what_else_can_be_done(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(dsn, "ALTER TABLE old.a RENAME TO b")
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, tmp_path)
    assert 'Mend what a mapping needs (there is no table "old.a")' in str(caught.value.hint)
    run(dsn, "ALTER TABLE old.b RENAME TO a")
    rollback(dsn, tmp_path)
    assert nothing_left(dsn)


def test_an_empty_table_needs_no_leave(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(dsn, "DELETE FROM new.t", "DROP TABLE old.a")
    rollback(dsn, tmp_path)
    assert nothing_left(dsn)


def test_a_table_that_the_undo_drops(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD)
    apply(dsn, tmp_path, WHOLE)
    run(dsn, "DROP TABLE old.a")
    assert f"lose 10 rows: new.t: 10 rows, {TOLD}" in refused(dsn, tmp_path, WHOLE)
    rollback(dsn, tmp_path, WHOLE, lose_rows=True)
    assert one(dsn, "SELECT to_regnamespace('new')") is None
    assert nothing_left(dsn)


def test_a_target_that_was_dropped(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(dsn, "DROP TABLE new.t")
    rollback(dsn, tmp_path)
    assert nothing_left(dsn)
    summary = one(dsn, "SELECT payload ->> 'summary' FROM lockgate.chain WHERE kind = 'undo' AND step IS NOT NULL")
    assert summary == "ma: sync stopped; no rows were taken back, for new.t was dropped"


@pytest.mark.parametrize(
    "changes",
    [
        ("ALTER TABLE new.t RENAME TO u",),
        ("ALTER TABLE new.t RENAME TO u", "CREATE TABLE new.t (x int)"),
        ("ALTER TABLE new.t RENAME k TO l",),
        ("DROP TRIGGER lockgate_log_1_update ON new.t", "ALTER TABLE new.t ALTER k TYPE text"),
    ],
)
def test_rows_stay_where_nobody_can_tell_which_they_are(dsn: str, tmp_path: Path, changes: tuple[str, ...]) -> None:
    """Of a table that has another name, or the name of which another has, or whose key is not what it was."""
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'mine')")
    apply(dsn, tmp_path)
    run(dsn, "DROP TABLE old.a", *changes)
    assert "1 rows, kept since the old model came to decide them, and cannot be put back" in refused(dsn, tmp_path)
    rollback(dsn, tmp_path, lose_rows=True)
    table = one(dsn, "SELECT coalesce(to_regclass('new.u'), to_regclass('new.t'))::text")
    assert one(dsn, f"SELECT count(*) FROM {table}") == 10
    assert nothing_left(dsn)


def test_rows_of_before_are_put_back(dsn: str, tmp_path: Path) -> None:
    """Those that the application removed itself are not, and those that are as they were are not lost."""
    run(dsn, OLD, NEW, "ALTER TABLE new.t ADD i int GENERATED ALWAYS AS IDENTITY, ADD n int NOT NULL DEFAULT 7")
    run(dsn, "INSERT INTO new.t VALUES (1, 'mine'), (2, 'mine'), (3, 'mine'), (4, 'a4'), (50, 'own')")
    before = rows(dsn, "SELECT * FROM new.t WHERE k < 4 AND k <> 2 ORDER BY k")
    apply(dsn, tmp_path)
    run(dsn, "DROP TABLE old.a", "DELETE FROM new.t WHERE k IN (2, 5)")
    assert f"lose 8 rows: new.t: 8 rows, {TOLD}" in refused(dsn, tmp_path)
    run(dsn, "ALTER TABLE new.t ADD later int NOT NULL DEFAULT 9")
    rollback(dsn, tmp_path, lose_rows=True)
    assert rows(dsn, "SELECT k, e, i, n FROM new.t WHERE k < 4 ORDER BY k") == before
    assert rows(dsn, "SELECT k, later FROM new.t ORDER BY k") == [(1, 9), (3, 9), (4, 9)]


def test_rows_of_before_that_the_table_does_not_take_any_more(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'mine')")
    apply(dsn, tmp_path)
    run(dsn, "DROP TRIGGER lockgate_log_1_update ON new.t", "ALTER TABLE new.t ALTER e TYPE int USING 1")
    assert "1 rows, kept since the old model came to decide them, and cannot be put back" in refused(dsn, tmp_path)
    rollback(dsn, tmp_path, lose_rows=True)
    assert rows(dsn, "SELECT * FROM new.t") == []


def test_a_key_column_that_was_made_anew(dsn: str, tmp_path: Path) -> None:
    """It has the name of the other one, but no log has it."""
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'mine')")
    apply(dsn, tmp_path)
    run(dsn, "ALTER TABLE new.t DROP COLUMN k CASCADE", "ALTER TABLE new.t ADD k serial PRIMARY KEY")
    run(dsn, "DROP TABLE old.a")
    assert f"lose 10 rows: new.t: 10 rows, {TOLD}" in refused(dsn, tmp_path)
    rollback(dsn, tmp_path, lose_rows=True)
    assert rows(dsn, "SELECT k, e FROM new.t") == [(1, "mine")]
    assert nothing_left(dsn)


def test_rows_of_others_that_go_with_them(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path)
    run(
        dsn,
        "CREATE TABLE new.orders (id int PRIMARY KEY, k int REFERENCES new.t ON DELETE CASCADE)",
        "INSERT INTO new.orders VALUES (1, 1), (2, NULL)",
        "DROP TABLE old.a",
    )
    assert "new.orders: 1 rows, go with rows of new.t" in refused(dsn, tmp_path)
    run(dsn, "ALTER TABLE new.orders DROP CONSTRAINT orders_k_fkey, ADD FOREIGN KEY (k) REFERENCES new.t")
    assert "1 rows of new.orders refer to rows of new.t" in refused(dsn, tmp_path, lose_rows=True)


# --- several mappings --------------------------------------------------------------------------------------------

TWO = f"phases: [{{id: one, steps: [{MAP}], undo: []}}, {{id: two, steps: [{SECOND}], undo: []}}]".replace(
    "FROM old.a s'}], undo: []}]", "FROM old.b s'}], undo: []}]"
)
TWO = TWO.replace("map: mb, into: new.t, key: [k], from: old.a", "map: mb, into: new.t, key: [k], from: old.b")
ALSO = (OLD, NEW, "CREATE TABLE old.b AS TABLE old.a", "ALTER TABLE old.b ADD PRIMARY KEY (id)")


def test_the_other_mapping_keeps_its_rows(dsn: str, tmp_path: Path) -> None:
    """What was born stays with it, too, and is not lost."""
    run(dsn, *ALSO)
    apply(dsn, tmp_path, TWO)
    run(dsn, "INSERT INTO new.t VALUES (500, 'mine')")
    apply(dsn, tmp_path, TWO)
    assert one(dsn, "SELECT count(*) FROM lockgate.born_1") == 1
    run(dsn, "DROP TABLE old.b")
    assert f"lose 10 rows: new.t: 10 rows, {TOLD}" in refused(dsn, tmp_path, TWO)
    rollback(dsn, tmp_path, TWO, lose_rows=True)
    assert [k for (k,) in rows(dsn, "SELECT k FROM new.t ORDER BY k")] == [*range(1, 11), 500]
    assert one(dsn, "SELECT state FROM lockgate.sync_targets") == "live"
    rollback(dsn, tmp_path, TWO, lose_rows=True)
    assert nothing_left(dsn)


def test_the_other_mapping_must_fit_if_it_stays(dsn: str, tmp_path: Path) -> None:
    run(dsn, *ALSO)
    apply(dsn, tmp_path, TWO)
    run(dsn, "DROP TABLE old.a")
    for lose_rows in (False, True):
        said = refused(dsn, tmp_path, TWO, lose_rows=lose_rows)
        assert "mb cannot be taken out of new.t: ma, which stays, fits the database no more" in said
        assert 'there is no table "old.a"' in said
    assert "lose 20 rows" in refused(dsn, tmp_path, TWO, to=undoing.BEGINNING)
    rollback(dsn, tmp_path, TWO, to=undoing.BEGINNING, lose_rows=True)
    assert one(dsn, "SELECT count(*) FROM new.t") == 0
    assert nothing_left(dsn)


def test_a_transform_of_the_table_that_fits_no_more_is_not_in_the_way(dsn: str, tmp_path: Path) -> None:
    text = CHANGE.replace("phases:\n", f"phases:\n  - {{id: zero, steps: [{MAP.replace(', s.e ', ' ')}], undo: []}}\n")
    text = text.replace("old.a s\n", "old.b s\n").replace("from: old.a\n", "from: old.b\n")
    run(dsn, *ALSO)
    apply(dsn, tmp_path, text)
    assert one(dsn, "SELECT e FROM new.t WHERE k = 1") == "A1"
    run(dsn, "DROP TABLE old.b")
    rollback(dsn, tmp_path, text, to=undoing.BEGINNING)
    assert rows(dsn, "SELECT * FROM new.t") == []
    assert nothing_left(dsn)


# --- transforms --------------------------------------------------------------------------------------------------


def test_values_of_before_are_restored_without_the_select(dsn: str, tmp_path: Path) -> None:
    run(dsn, OLD, NEW, "INSERT INTO new.t SELECT n, 'before' || n FROM generate_series(1, 12) AS n")
    before = rows(dsn, "SELECT * FROM new.t ORDER BY k")
    apply(dsn, tmp_path, CHANGE)
    assert one(dsn, "SELECT e FROM new.t WHERE k = 1") == "A1"
    run(dsn, "DROP TABLE old.a", "UPDATE new.t SET e = 'mine' WHERE k = 3")
    assert "new.t: 1 rows, the application changed them since" in refused(dsn, tmp_path, CHANGE)
    run(dsn, "UPDATE new.t SET e = 'A3' WHERE k = 3")
    rollback(dsn, tmp_path, CHANGE)
    assert rows(dsn, "SELECT * FROM new.t ORDER BY k") == before
    assert nothing_left(dsn)


@pytest.mark.parametrize("change", ["ALTER TABLE new.t ALTER e TYPE int USING 1", "DROP TABLE new.t"])
def test_values_of_before_that_cannot_be_restored(dsn: str, tmp_path: Path, change: str) -> None:
    run(dsn, OLD, NEW, "INSERT INTO new.t SELECT n, 'before' || n FROM generate_series(1, 12) AS n")
    apply(dsn, tmp_path, CHANGE)
    run(dsn, "DROP TRIGGER lockgate_log_1_update ON new.t", change)
    said = refused(dsn, tmp_path, CHANGE)
    assert "10 rows, whose values of before" in said
    assert "cannot be put back" in said
    rollback(dsn, tmp_path, CHANGE, lose_rows=True)
    assert nothing_left(dsn)


# --- on the way --------------------------------------------------------------------------------------------------


def test_the_undo_of_a_later_phase_breaks_it(dsn: str, tmp_path: Path) -> None:
    """When everything was counted it fitted: what is lost now was accepted by nobody."""
    text = f"""
    phases:
      - {{id: one, steps: [{MAP}], undo: []}}
      - {{id: two, steps: [{{sql: SELECT 1}}], undo: [{{sql: ALTER TABLE old.a RENAME TO b}}]}}
    """
    run(dsn, OLD, NEW)
    apply(dsn, tmp_path, text)
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, tmp_path, text, to=undoing.BEGINNING)
    assert "ma fits the database no more; taking it back would lose rows of new.t" in caught.value.what
    assert f"10 rows, {TOLD}" in str(caught.value.why)
    assert one(dsn, "SELECT count(*) FROM new.t") == 10
    rollback(dsn, tmp_path, text, to=undoing.BEGINNING, lose_rows=True)
    assert nothing_left(dsn)


def test_the_undo_of_a_later_phase_breaks_one_of_two(dsn: str, tmp_path: Path) -> None:
    third = "{id: three, steps: [{sql: SELECT 1}], undo: [{sql: ALTER TABLE old.b RENAME TO c}]}]"
    text = f"{TWO.removesuffix(']')}, {third}"
    run(dsn, *ALSO)
    apply(dsn, tmp_path, text)
    with pytest.raises(RollbackRefused) as caught:
        rollback(dsn, tmp_path, text, to="one")
    assert "mb fits the database no more; taking it back would lose rows of new.t" in caught.value.what
    assert f"10 rows, {TOLD}" in str(caught.value.why)
    assert one(dsn, "SELECT count(*) FROM new.t") == 20
    rollback(dsn, tmp_path, text, to="one", lose_rows=True)
    assert one(dsn, "SELECT count(*) FROM new.t") == 10


@pytest.mark.parametrize("point", ["undo.stopped", "undo.blocks", "undo.forgotten", "undo.log"])
def test_a_killed_rollback_goes_on(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'mine')")
    apply(dsn, tmp_path)
    run(dsn, "DROP TABLE old.a")

    def killed(reached: str) -> None:
        if reached == point:
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(filling, "fault", killed)
        with pytest.raises(RuntimeError, match="killed"):
            rollback(dsn, tmp_path, lose_rows=True)
    rollback(dsn, tmp_path)
    assert rows(dsn, "SELECT * FROM new.t") == [(1, "mine")]
    assert nothing_left(dsn)


def test_before_anything_was_written_the_rows_stay(dsn: str, tmp_path: Path) -> None:
    text = PLAN.replace("from: old.a", "from: old.a, sync: none")
    run(dsn, OLD, NEW, "INSERT INTO new.t VALUES (1, 'mine')")
    apply(dsn, tmp_path, text)
    run(dsn, "UPDATE lockgate.sync_targets SET own_rows_kept = false", "DROP TABLE old.a")
    run(dsn, "DELETE FROM lockgate.replaced_1")
    rollback(dsn, tmp_path, text)
    assert one(dsn, "SELECT count(*) FROM new.t") == 10
