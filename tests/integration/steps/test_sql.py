from __future__ import annotations

import threading
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from lockgate.engine import recording, runner
from lockgate.engine.context import StepContext
from lockgate.errors import DatabaseError, LockNotAcquired, PlanError, PrivilegeMissing
from lockgate.plan.models import SqlStep
from lockgate.steps import REGISTRY
from lockgate.steps.base import StepResult
from tests.integration.engine.plans import Told, let_go, make_held, one, rows, sessions, write_plan
from tests.waiting import wait_until


def apply(dsn: str, folder: Path, text: str, told: Told | None = None, **files: str) -> runner.RunResult:
    return runner.apply(write_plan(folder, text, **files), sessions(dsn), progress=told)


def test_all_statements_and_the_ledger_commit_together(dsn: str, tmp_path: Path) -> None:
    apply(
        dsn,
        tmp_path,
        """
        phases:
          - id: a
            steps: [{sql: setup.sql}]
        """,
        setup="CREATE TABLE t (x int);\nINSERT INTO t VALUES (1);",
    )
    (same,) = rows(dsn, "SELECT s.xmin = t.xmin, s.state FROM lockgate.steps s, public.t t")
    assert same == (True, "done")


def test_a_failing_statement_takes_the_others_with_it_and_is_placed(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        apply(
            dsn,
            tmp_path,
            "phases: [{id: a, steps: [{sql: setup.sql}]}]",
            setup="CREATE TABLE t (x int);\n\n-- a comment\nINSERT INTO t\n  SELECT nothing;\n",
        )
    assert caught.value.where == "setup.sql:5:10"
    assert 'column "nothing" does not exist' in str(caught.value.why)
    assert one(dsn, "SELECT to_regclass('public.t')") is None
    assert rows(dsn, "SELECT s.state, p.state FROM lockgate.steps s, lockgate.phases p") == [("failed", "failed")]


def test_goes_on_when_the_sql_was_mended(dsn: str, tmp_path: Path) -> None:
    text = "phases: [{id: a, steps: [{sql: CREATE TABLE one (), id: one}, {sql: %s, id: two}]}]"
    with pytest.raises(DatabaseError):
        apply(dsn, tmp_path, text % "CREATE TABLE two (x nonsense)")
    told = Told()
    apply(dsn, tmp_path, text % "CREATE TABLE two (x int)", told)
    assert "step a/one: begins" not in told.events
    assert one(dsn, "SELECT count(*) FROM pg_class WHERE relname IN ('one', 'two')") == 2


@pytest.mark.parametrize(
    ("sql", "outside", "what", "where"),
    [
        ("CREATE TABLE t ();\nBEGIN;\nCOMMIT;", False, "BEGIN cannot run here", "x.sql:2:1"),
        ("BEGIN;\nCOMMIT;", True, "BEGIN cannot run here", "x.sql:1:1"),
        ("SELECT 1;\n  VACUUM t", False, "VACUUM t cannot run inside a transaction", "x.sql:2:3"),
        ("CREATE INDEX CONCURRENTLY ON t (x)", True, "CREATE INDEX CONCURRENTLY ON t cannot run here", "x.sql:1:1"),
        ("-- nothing\n", False, "There is no statement in this SQL", "x.sql:1:1"),
    ],
)
def test_refuses_before_anything_runs(dsn: str, tmp_path: Path, sql: str, outside: bool, what: str, where: str) -> None:
    text = f"""
    phases:
      - id: a
        steps: [{{sql: CREATE TABLE first (), id: first}}]
      - id: b
        steps: [{{sql: x.sql, outside_transaction: {str(outside).lower()}}}]
    """
    with pytest.raises(PlanError) as caught:
        apply(dsn, tmp_path, text, x=sql)
    assert (caught.value.what, caught.value.where) == (what, where)
    assert one(dsn, "SELECT to_regclass('public.first')") is None


def test_savepoints_stay_the_plans_own(dsn: str, tmp_path: Path) -> None:
    sql = "CREATE TABLE t (x int); SAVEPOINT s; DROP TABLE t; ROLLBACK TO s"
    apply(dsn, tmp_path, "phases: [{id: a, steps: [{sql: x.sql}]}]", x=sql)
    assert one(dsn, "SELECT to_regclass('public.t')") == "t"


def test_a_role_that_the_sql_takes_on_does_not_write_the_ledger(dsn: str, tmp_path: Path) -> None:
    role = f"app_{token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA app; CREATE ROLE {role}; GRANT ALL ON SCHEMA app TO {role}".encode())
        try:
            sql = f"SET ROLE {role}; SET search_path = app; CREATE TABLE t ()"
            apply(dsn, tmp_path, "phases: [{id: a, steps: [{sql: x.sql}]}]", x=sql)
            assert one(dsn, "SELECT tableowner FROM pg_tables WHERE tablename = 't'") == role
        finally:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_missing_privilege_comes_with_the_grant(dsn: str, tmp_path: Path) -> None:
    role = f"app_{token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE TABLE t (x int); CREATE ROLE {role}".encode())
        try:
            sql = f"SET ROLE {role};\nSELECT * FROM public.t"
            with pytest.raises(PrivilegeMissing) as caught:
                apply(dsn, tmp_path, "phases: [{id: a, steps: [{sql: x.sql}]}]", x=sql)
        finally:
            admin.execute(f"DROP ROLE {role}".encode())
    assert caught.value.where == "x.sql:2:1"
    assert "GRANT SELECT" in str(caught.value.hint)


def test_values_of_rows_are_not_shown(dsn: str, tmp_path: Path) -> None:
    sql = "CREATE TABLE t (x text UNIQUE); INSERT INTO t VALUES ('ana@example'), ('ana@example')"
    with pytest.raises(DatabaseError) as caught:
        apply(dsn, tmp_path, "phases: [{id: a, steps: [{sql: x.sql}]}]", x=sql)
    assert "t_x_key" in str(caught.value)
    assert "ana@example" not in str(caught.value)
    payloads = one(
        dsn, "SELECT string_agg(payload::text, '') FROM lockgate.chain WHERE kind IN ('step', 'phase', 'run')"
    )
    assert "ana@example" not in payloads


def test_a_lock_that_is_not_had_is_said_and_a_later_run_goes_on(dsn: str, tmp_path: Path) -> None:
    text = """
    settings: {lock_timeout: 100ms, lock_retries: 1}
    phases: [{id: a, steps: [{sql: ALTER TABLE t ADD COLUMN y int}]}]
    """
    with psycopg.connect(dsn) as blocker:
        blocker.execute("CREATE TABLE t (x int)")
        blocker.commit()
        blocker.execute("SELECT * FROM t")
        with pytest.raises(LockNotAcquired) as caught:
            apply(dsn, tmp_path, text)
        assert f"process {blocker.info.backend_pid}" in str(caught.value.why)
    apply(dsn, tmp_path, text)
    assert rows(dsn, "SELECT state FROM lockgate.phases") == [("done",)]


def test_a_connection_that_is_cut_in_the_middle_is_replaced(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE TABLE t (x int)")
        make_held(dsn)
        cutter = threading.Thread(target=cut, args=(dsn, "INSERT INTO t SELECT 2%"))
        cutter.start()
        apply(dsn, tmp_path, "phases: [{id: b, steps: [{sql: INSERT INTO t SELECT 2 * held()}]}]")
        cutter.join()
        assert admin.execute("SELECT x FROM t").fetchall() == [(2,)]


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction commits, and then the connection is found dead."""
    lost = iter([True])
    real = recording.finish

    def commit_and_die(ctx: StepContext, conn: psycopg.Connection[Any], result: StepResult) -> None:
        real(ctx, conn, result)
        if next(lost, False):
            conn.execute("COMMIT")
            conn.close()
            raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(recording, "finish", commit_and_die)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE TABLE t (x int)")
        apply(dsn, tmp_path, "phases: [{id: a, steps: [{sql: INSERT INTO t VALUES (1)}]}]")
        assert admin.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_describes_what_it_would_do(dsn: str, tmp_path: Path) -> None:
    sql = "CREATE TABLE new (x int);\nALTER TABLE a ADD y int;\nALTER TABLE new ADD z int; DROP TABLE b;"
    sql += 'ALTER TABLE a ALTER i TYPE bigint; UPDATE p SET i = 2; DELETE FROM "Nowhere"'
    loaded = write_plan(tmp_path, "phases: [{id: a, steps: [{sql: x.sql}]}]", x=sql)
    phase = loaded.plan.phases[0]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE a AS SELECT generate_series(1, 7) AS i; CREATE TABLE b (); "
            "CREATE TABLE p (i int) PARTITION BY RANGE (i); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); "
            "INSERT INTO p VALUES (1); ANALYZE a, p"
        )
        lines = REGISTRY[SqlStep].describe(conn, loaded, phase, phase.steps[0])
    assert lines == [
        "7 statements, in one transaction",
        "CREATE TABLE new (x int)",
        "ALTER TABLE a ADD y int",
        "  ACCESS EXCLUSIVE on public.a (about 7 rows, 8192 bytes): nobody reads or writes meanwhile",
        "ALTER TABLE new ADD z int",
        "DROP TABLE b",
        "  ACCESS EXCLUSIVE on public.b (never analyzed): nobody reads or writes meanwhile",
        "ALTER TABLE a ALTER i TYPE bigint",
        "  ACCESS EXCLUSIVE on public.a (about 7 rows, 8192 bytes): nobody reads or writes meanwhile",
        "  public.a: written anew, row by row",
        "  public.a: as much disk again until it ends, and as much WAL: 8192 bytes",
        "UPDATE p SET i = 2",
        "  ROW EXCLUSIVE on public.p (about 1 rows, 8192 bytes), public.p1 (about 1 rows, 8192 bytes): others read and "
        "write; who builds an index or changes the table waits",
        "  public.p1: read from the first row to the last",
        'DELETE FROM "Nowhere"',
        '  ROW EXCLUSIVE on "Nowhere": others read and write; who builds an index or changes the table waits',
        '  "Nowhere": read from the first row to the last',
        '  not known: what belongs to "Nowhere" and what refers to it: it is not there yet',
        'note: holds strong locks on "a", "b" together; a step for each holds less up',
    ]


def cut(dsn: str, query: str) -> None:
    wait_until(
        lambda: rows(
            dsn,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '{query}' AND state = 'active'",
        )
    )
    let_go(dsn)
