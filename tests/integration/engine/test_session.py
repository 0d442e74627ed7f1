from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.embedded import EmbeddedServer
from lockgate.engine import preflight
from lockgate.engine.session import Sessions
from lockgate.errors import ConnectionFailed, ExitCode, LeaseLost, PrivilegeMissing
from lockgate.plan.models import Settings
from tests.conftest import StartServer
from tests.copies import EMPTY
from tests.integration.engine.plans import one
from tests.pooling import Pooler
from tests.waiting import wait_until


def setting(conn: psycopg.Connection[Any], name: str) -> str:
    row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def test_pins_what_changes_text_and_names_itself(dsn: str) -> None:
    settings = Settings(lock_timeout=timedelta(milliseconds=321))
    with psycopg.connect(dsn, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        wrong = {
            "TimeZone": "Asia/Tokyo",
            "DateStyle": "German",
            "search_path": "elsewhere",
            "lock_timeout": "1h",
            "default_transaction_isolation": "repeatable read",
        }
        for key, value in wrong.items():
            admin.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, sql.Identifier(key), value))
    with Sessions(dsn, settings).open("testing") as conn:
        assert setting(conn, "TimeZone") == "UTC"
        assert setting(conn, "DateStyle") == "ISO, YMD"
        assert setting(conn, "search_path") == "pg_catalog"
        assert setting(conn, "row_security") == "off"
        assert setting(conn, "transaction_isolation") == "read committed"
        assert setting(conn, "lock_timeout") == "321ms"
        assert setting(conn, "statement_timeout") == "0"
        assert setting(conn, "application_name") == "lockgate:testing"
        assert conn.autocommit
        assert conn.prepare_threshold is None


def test_sql_of_the_plan_keeps_the_databases_search_path(dsn: str) -> None:
    with Sessions(dsn).open("testing", plan_sql=True) as conn:
        assert setting(conn, "search_path") == '"$user", public'
        assert setting(conn, "TimeZone") == "UTC"


def test_a_read_only_connection_cannot_write(dsn: str) -> None:
    with Sessions(dsn).open("testing", read_only=True) as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("CREATE TABLE public.t ()")


def test_a_statement_may_have_a_time_limit(dsn: str) -> None:
    limit = timedelta(milliseconds=50)
    opened = Sessions(dsn).open("testing", statement_timeout=limit)
    with opened as conn, pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute("SELECT pg_sleep(60)")


def test_ends_every_session_and_opens_none_any_more(dsn: str) -> None:
    sessions = Sessions(dsn)
    asleep = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"

    def end() -> None:
        wait_until(lambda: one(dsn, asleep))
        sessions.end_all(LeaseLost("taken over"))

    thread = threading.Thread(target=end)
    with sessions.open("testing") as conn, sessions.open("idle") as idle:
        thread.start()
        with pytest.raises(psycopg.errors.AdminShutdown):
            conn.execute("SELECT pg_sleep(60)")
        thread.join()
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    with pytest.raises(LeaseLost):
        sessions.open("testing")
    left = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^lockgate:'"
    )
    assert one(dsn, left) == 0


def sleep_long(dsn: str) -> None:
    """What the killed process of the next test does."""
    with Sessions(dsn).open("sleeper") as conn:
        conn.execute("SELECT pg_sleep(600)")


def test_the_server_ends_the_statement_of_a_killed_client(dsn: str) -> None:
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockgate:sleeper' AND state = 'active'"
    code = f"from tests.integration.engine.test_session import sleep_long; sleep_long({dsn!r})"
    client = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    try:
        wait_until(lambda: one(dsn, asleep) == 1)
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: one(dsn, asleep) == 0)


# --- what is wrong, in words ------------------------------------------------------------------------------


def test_unreachable(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        Sessions(f"host={tmp_path} dbname=d").preflight()
    assert caught.value.what == "The database cannot be reached"
    assert caught.value.exit_code is ExitCode.USAGE


def test_wrong_password_is_not_shown(own_server: StartServer) -> None:
    server = own_server(loopback=True)
    dsn = make_conninfo("", **{**conninfo_to_dict(server.dsn()), "password": "hunter2"})
    with pytest.raises(ConnectionFailed) as caught:
        Sessions(dsn).preflight()
    assert caught.value.what == "The password was not accepted"
    assert "hunter2" not in str(caught.value)


def test_unknown_database(server_dsn: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        Sessions(make_conninfo(server_dsn, dbname="not_there")).preflight()
    assert caught.value.what == "The database does not exist"


def test_a_read_only_database(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    with pytest.raises(ConnectionFailed) as caught:
        Sessions(dsn).preflight()
    assert caught.value.what == "Transactions are read-only here"


def test_a_replica(own_server: StartServer) -> None:
    server = own_server()
    server.stop()
    standby = server.data / "standby.signal"
    standby.touch()
    shutil.chown(standby, server.data.owner(), server.data.group())
    server.start()
    with pytest.raises(ConnectionFailed) as caught:
        Sessions(server.dsn()).preflight()
    assert caught.value.what == "This is a read-only replica"
    assert "primary" in str(caught.value)


@pytest.mark.parametrize("template", [EMPTY])  # the right to make a ledger is asked for where there is none
def test_missing_privilege_with_the_grant_that_helps(dsn: str) -> None:
    role = f"powerless_{token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        try:
            admin.execute(f"SET ROLE {role}".encode())
            with pytest.raises(PrivilegeMissing) as caught:
                preflight.require_create(admin)
            grant = caught.value.hint
            assert grant is not None
            admin.execute("RESET ROLE")
            admin.execute(grant.removeprefix("As the database's owner: ").encode())
            admin.execute(f"SET ROLE {role}".encode())
            preflight.require_create(admin)
        finally:
            admin.execute("RESET ROLE")
            admin.execute(f"DROP OWNED BY {role}".encode())
            admin.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize("backends", [1, 2])
def test_a_pooler_is_refused(embedded_server: EmbeddedServer, backends: int) -> None:
    parts = conninfo_to_dict(embedded_server.dsn())
    socket = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
    with Pooler(socket, backends) as pooler:
        dsn = f"host=127.0.0.1 port={pooler.port} user={parts['user']} dbname=postgres sslmode=disable"
        with pytest.raises(ConnectionFailed) as caught:
            Sessions(dsn).preflight()
    assert "pooler" in caught.value.what
    assert "direct address" in str(caught.value)


def test_the_server_itself_is_no_pooler(dsn: str) -> None:
    server = Sessions(dsn).preflight()
    assert 14 <= server.major <= 18
    assert server.superuser
