from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.errors import DatabaseError, ExitCode, LockNotAcquired, PlanChanged
from lockgate.plan.load import load_plan
from lockgate.steps import outside
from tests.integration.engine.plans import Told, one, rows, sessions, write_plan
from tests.killing import call
from tests.waiting import wait_until

PLAN = """
settings: {lock_timeout: 200ms, lock_retries: 3}
phases:
  - id: a
    steps: [{sql: x.sql, id: x, outside_transaction: true}]
"""
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.i')"


def apply(
    dsn: str, folder: Path, sql: str, told: Told | None = None, stop: threading.Event | None = None
) -> runner.RunResult:
    return runner.apply(write_plan(folder, PLAN, x=sql), sessions(dsn), progress=told, stop=stop)


def apply_folder(dsn: str, folder: str) -> None:
    """What the killed processes of these tests do."""
    runner.apply(load_plan(Path(folder)), sessions(dsn))


def killed_at(dsn: str, folder: Path, sql: str, point: str) -> None:
    write_plan(folder, PLAN, x=sql)
    ended = call("tests.integration.steps.test_outside:apply_folder", dsn, str(folder), fault=point)
    assert ended.killed, ended.err


@pytest.fixture
def table(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 1000)")
    return dsn


@contextmanager
def old_transaction(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that every concurrent index build waits for."""
    with psycopg.connect(dsn, application_name="reports") as conn:
        conn.execute("LOCK TABLE t IN ROW EXCLUSIVE MODE")
        yield conn
        conn.rollback()


def make_invalid(dsn: str, name: str = "i") -> None:
    """Leave an INVALID index, as an interrupted build does."""
    with old_transaction(dsn), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET lock_timeout = '10ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute(f"CREATE INDEX CONCURRENTLY {name} ON t (x)".encode())
    assert one(dsn, f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{name}'::regclass") is False


def test_runs_one_by_one(table: str, tmp_path: Path) -> None:
    sql = """
    CREATE TYPE mood AS ENUM ('sad');
    ALTER TYPE mood ADD VALUE 'ok';
    CREATE TABLE m (x mood);
    INSERT INTO m VALUES ('ok');
    CREATE INDEX CONCURRENTLY i ON t (x);
    VACUUM t;
    REINDEX INDEX CONCURRENTLY i;
    """
    apply(table, tmp_path, sql)
    assert one(table, VALID) is True
    assert rows(table, "SELECT state, position FROM lockgate.steps") == [("done", 7)]
    begun = rows(table, "SELECT payload->>'state' FROM lockgate.chain WHERE kind = 'event' ORDER BY seq")
    assert begun == [("done",)] * 7


def test_goes_on_after_the_statements_that_are_done(table: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        apply(table, tmp_path, "INSERT INTO t VALUES (-1);\nINSERT INTO nowhere VALUES (1);")
    apply(table, tmp_path, "INSERT INTO t VALUES (-1);\nINSERT INTO t VALUES (-2);")
    assert one(table, "SELECT array_agg(x ORDER BY x DESC) FROM t WHERE x < 0") == [-1, -2]


def test_a_statement_that_is_done_may_not_change(table: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        apply(table, tmp_path, "INSERT INTO t VALUES (-1);\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(PlanChanged) as caught:
        apply(table, tmp_path, "INSERT INTO t VALUES (-3);\nINSERT INTO t VALUES (-2);")
    assert caught.value.where == "x.sql:1:1"
    assert caught.value.exit_code is ExitCode.CHANGED


@pytest.mark.parametrize("clause", ["", "IF NOT EXISTS "])
def test_an_invalid_index_is_built_anew(table: str, tmp_path: Path, clause: str) -> None:
    make_invalid(table)
    before = one(table, "SELECT 'i'::regclass::oid")
    told = Told()
    apply(table, tmp_path, f"CREATE INDEX CONCURRENTLY {clause}i ON t (x)", told)
    assert one(table, VALID) is True
    assert one(table, "SELECT 'i'::regclass::oid") != before
    assert any("half done" in event for event in told.events)


def test_an_index_that_was_there_before_is_taken_only_if_the_plan_says_so(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("CREATE INDEX i ON t (x)")
    for _ in range(2):  # a second run must not take the failed first one for a killed one
        with pytest.raises(DatabaseError, match="exists already"):
            apply(table, tmp_path, "CREATE INDEX CONCURRENTLY i ON t (x)")
    apply(table, tmp_path, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x)")
    assert rows(table, "SELECT payload->>'state' FROM lockgate.chain WHERE kind = 'event'") == [("found done",)]


@pytest.mark.parametrize("clause", ["", "IF NOT EXISTS "])
def test_a_name_that_another_tables_index_has_is_no_success(table: str, tmp_path: Path, clause: str) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("CREATE TABLE other (x int); CREATE INDEX i ON other (x)")
    with pytest.raises(DatabaseError, match="is taken") as caught:
        apply(table, tmp_path, f"CREATE INDEX CONCURRENTLY {clause}i ON t (x)")
    assert "other" in str(caught.value.why)


def test_a_failed_build_leaves_no_invalid_index(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(DatabaseError) as caught:
        apply(table, tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (x)")
    assert "23505" in str(caught.value.why)
    assert one(table, "SELECT to_regclass('i')") is None


def test_a_failed_build_is_not_taken_for_a_killed_one(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(DatabaseError, match="23505"):
            apply(table, tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (x)")
        conn.execute("CREATE INDEX i ON t (x)")
    with pytest.raises(DatabaseError, match="exists already"):
        apply(table, tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (x)")


def test_does_not_touch_an_index_that_somebody_else_builds(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as other, old_transaction(table) as blocker:
        builder = threading.Thread(target=other.execute, args=("CREATE INDEX CONCURRENTLY i ON t (x)",))
        builder.start()
        wait_until(lambda: one(table, "SELECT to_regclass('i')"))
        with pytest.raises(LockNotAcquired, match="being built by somebody else"):
            apply(table, tmp_path, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x)")
        blocker.rollback()
        builder.join()
    assert one(table, VALID) is True


def test_waits_for_old_transactions_and_says_for_whom(table: str, tmp_path: Path) -> None:
    told = Told()
    with old_transaction(table) as blocker:
        pid = blocker.info.backend_pid

        def free() -> None:
            wait_until(lambda: told.waits)
            blocker.rollback()

        thread = threading.Thread(target=free)
        thread.start()
        apply(table, tmp_path, "CREATE INDEX CONCURRENTLY i ON t (x)", told)
        thread.join()
    assert one(table, VALID) is True
    reason, release = told.waits[0]
    assert f"process {pid}" in reason
    assert release == f"SELECT pg_terminate_backend({pid})"
    assert told.waits[-1] == ("", "")


def test_stops_in_the_middle_and_goes_on_later(table: str, tmp_path: Path) -> None:
    stop, told = threading.Event(), Told()
    with old_transaction(table):

        def interrupt() -> None:
            wait_until(lambda: told.waits)
            stop.set()

        thread = threading.Thread(target=interrupt)
        thread.start()
        result = apply(table, tmp_path, "CREATE INDEX CONCURRENTLY i ON t (x)", told, stop)
        thread.join()
    assert result.exit_code is ExitCode.INTERRUPTED
    assert apply(table, tmp_path, "CREATE INDEX CONCURRENTLY i ON t (x)").exit_code is ExitCode.DONE
    assert one(table, VALID) is True


# --- kills ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", ["alone.looked", "alone.marked", "alone.executed", "outside.statement", "step.commit"]
)
def test_a_kill_around_an_index_build(table: str, tmp_path: Path, point: str) -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON t (x)"
    killed_at(table, tmp_path, sql, point)
    apply(table, tmp_path, sql)
    assert one(table, VALID) is True
    assert rows(table, "SELECT state, position FROM lockgate.steps") == [("done", 1)]


def test_a_kill_in_the_middle_of_an_index_build(table: str, tmp_path: Path) -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON t (x)"
    write_plan(tmp_path, PLAN, x=sql)
    with old_transaction(table) as blocker:
        code = (
            f"from tests.integration.steps.test_outside import apply_folder; apply_folder({table!r}, {str(tmp_path)!r})"
        )
        process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
        try:
            wait_until(lambda: one(table, "SELECT to_regclass('i')"))
        finally:
            process.kill()
            process.wait()
        blocker.rollback()
    told = Told()
    apply(table, tmp_path, sql, told)
    assert one(table, VALID) is True


def test_a_kill_while_the_server_still_builds(table: str, tmp_path: Path) -> None:
    """The session of the killed run goes on, because the server does not look after its client."""
    sql = "CREATE INDEX CONCURRENTLY i ON t (x)"
    killed_at(table, tmp_path, sql, "alone.marked")
    with psycopg.connect(table, autocommit=True) as former, old_transaction(table) as blocker:
        builder = threading.Thread(target=_build, args=(former,))
        builder.start()
        wait_until(lambda: one(table, "SELECT to_regclass('i')"))
        with psycopg.connect(table, autocommit=True) as conn:
            conn.execute(
                "UPDATE lockgate.steps SET detail = jsonb_set(detail, '{current}', jsonb_build_object('number', 0,"
                " 'pid', pid, 'since', backend_start::text)) FROM pg_stat_activity WHERE pid = %s",
                (former.info.backend_pid,),
            )
        told = Told()

        def free() -> None:
            wait_until(lambda: any("former run" in event for event in told.events))
            blocker.rollback()

        thread = threading.Thread(target=free)
        thread.start()
        apply(table, tmp_path, sql, told)
        thread.join()
        builder.join()
    assert one(table, VALID) is True


def _build(conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        conn.execute("CREATE INDEX CONCURRENTLY i ON t (x)")


@pytest.mark.parametrize("point", ["alone.marked", "alone.executed"])
def test_a_kill_around_dropping_an_index(table: str, tmp_path: Path, point: str) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("CREATE INDEX i ON t (x)")
    killed_at(table, tmp_path, "DROP INDEX CONCURRENTLY i", point)
    apply(table, tmp_path, "DROP INDEX CONCURRENTLY i")
    assert one(table, "SELECT to_regclass('i')") is None


@pytest.mark.parametrize("point", ["outside.commit", "outside.statement"])
def test_a_kill_around_a_statement_with_its_position(table: str, tmp_path: Path, point: str) -> None:
    sql = "INSERT INTO t VALUES (-1);\nINSERT INTO t VALUES (-2);"
    killed_at(table, tmp_path, sql, point)
    apply(table, tmp_path, sql)
    assert one(table, "SELECT array_agg(x ORDER BY x DESC) FROM t WHERE x < 0") == [-1, -2]


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = iter([True])
    real = outside._Position.done

    def commit_and_die(self: outside._Position, conn: psycopg.Connection[Any], how: str) -> None:
        real(self, conn, how)
        if next(lost, False):
            conn.execute("COMMIT")
            conn.close()
            raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(outside._Position, "done", commit_and_die)
    apply(table, tmp_path, "INSERT INTO t VALUES (-1)")
    assert one(table, "SELECT count(*) FROM t WHERE x < 0") == 1


def test_what_an_interrupted_reindex_left_is_removed(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("CREATE INDEX i ON t (x)")
        with old_transaction(table):
            conn.execute("SET lock_timeout = '10ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                conn.execute("REINDEX INDEX CONCURRENTLY i")
    left = "SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)'"
    assert one(table, left) == 1
    apply(table, tmp_path, "REINDEX TABLE CONCURRENTLY t")
    assert one(table, left) == 0
    assert one(table, VALID) is True


def test_a_detach_that_was_interrupted_is_finished(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (x int) PARTITION BY LIST (x); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)")
        with old_transaction(dsn):
            conn.execute("SET lock_timeout = '10ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                conn.execute("ALTER TABLE t DETACH PARTITION t1 CONCURRENTLY")
    assert one(dsn, "SELECT inhdetachpending FROM pg_inherits") is True
    apply(dsn, tmp_path, "ALTER TABLE t DETACH PARTITION t1 CONCURRENTLY")
    assert rows(dsn, "SELECT 1 FROM pg_inherits") == []
    assert one(dsn, "SELECT to_regclass('t1')") == "t1"


def test_vacuum_may_be_repeated(table: str, tmp_path: Path) -> None:
    killed_at(table, tmp_path, "VACUUM t", "alone.executed")
    apply(table, tmp_path, "VACUUM t")
    assert rows(table, "SELECT state FROM lockgate.phases") == [("done",)]
