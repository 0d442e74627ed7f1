"""What is said of an error of the server that nobody caught: its words only where they hold no value."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lockgate.cli.failures import explain


def raised(conn: psycopg.Connection[Any], statement: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(statement.encode())
    return caught.value


def test_a_value_stays_hidden(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE t (email text PRIMARY KEY); INSERT INTO t VALUES ('ana@example.com')")
    for statement in ("INSERT INTO t VALUES ('ana@example.com')", "SELECT 'ana@example.com'::int"):
        told = explain(raised(conn, statement))
        assert told.kind == "Bug"
        assert "SQLSTATE 2" in told.what
        assert told.why is None
        assert "ana@example.com" not in "\n".join(told.as_lines())


def test_a_name_is_said(conn: psycopg.Connection[Any]) -> None:
    told = explain(raised(conn, "SELECT * FROM nowhere"))
    assert (told.kind, told.why) == ("Bug", 'relation "nowhere" does not exist')


def test_a_missing_right_is_no_bug(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE t (a int)")
    with conn.transaction():
        conn.execute("SET LOCAL ROLE pg_monitor")
        error = raised(conn, "SELECT * FROM t")
        told = explain(error)
        assert (told.kind, told.why) == ("PrivilegeMissing", "permission denied for table t")
        assert "lockgate grants" in (told.hint or "")
        raise psycopg.Rollback


def test_a_session_that_was_ended(conn: psycopg.Connection[Any], dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
    told = explain(raised(conn, "SELECT 1"))
    assert told.kind == "ConnectionLost"
    assert "run the same command again" in (told.hint or "")
