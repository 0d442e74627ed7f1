"""A ledger knows whether it was written in the database it stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from lockgate.embedded import EmbeddedServer
from lockgate.errors import LedgerError
from lockgate.ledger import chain, copied, install, require, require_home, uninstall
from tests.conftest import StartServer
from tests.copies import EMPTY, another_database, copy_files, dump_and_restore, template_copy, upgrade


def opened(dsn: str) -> Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


@pytest.fixture
def programs(embedded_server: EmbeddedServer) -> Path:
    """Where ``pg_dump`` is."""
    return embedded_server.bin


def test_a_ledger_is_at_home_where_it_was_made(ledger: Connection[Any]) -> None:
    assert copied(ledger) is None
    ledger.execute("VACUUM (FREEZE) lockgate.home")
    ledger.execute("VACUUM (FULL) lockgate.home")
    ledger.execute("ALTER SCHEMA lockgate OWNER TO CURRENT_USER")
    assert copied(ledger) is None
    assert require_home(ledger) == require(ledger)


def test_where_there_is_none_nothing_is_copied(conn: Connection[Any]) -> None:
    assert copied(conn) is None


def test_a_ledger_made_in_a_savepoint_is_at_home(conn: Connection[Any]) -> None:
    with conn.transaction(), conn.transaction():
        install(conn)
    assert copied(conn) is None


def test_one_that_is_older_than_the_question_is_at_home_once_it_is_upgraded(ledger: Connection[Any]) -> None:
    ledger.execute("DROP TABLE lockgate.home")
    ledger.execute("DROP FUNCTION lockgate.settle")
    ledger.execute("DELETE FROM lockgate.meta WHERE name = 'home'")
    assert copied(ledger) is None
    install(ledger)
    assert copied(ledger) is None
    assert ledger.execute("SELECT database FROM lockgate.home").fetchone() == (ledger.info.dbname,)


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be made here
def test_one_that_was_restored_from_a_dump_is_not_worked_with(
    dsn: str, ledger: Connection[Any], programs: Path
) -> None:
    install(ledger)
    chain.append(ledger, kind="event", plan="p", payload={})
    with another_database(dsn) as other:
        dump_and_restore(programs, dsn, other)
        with opened(other) as conn:
            for work in (install, require_home):
                with pytest.raises(LedgerError, match="was not written here") as caught:
                    work(conn)
            cluster = conn.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
            assert cluster is not None
            assert f"It was written in database {ledger.info.dbname} of cluster {cluster[0]}." in str(caught.value.why)
            assert caught.value.where == f"database {conn.info.dbname} of cluster {cluster[0]}, schema lockgate"
            assert "lockgate uninstall --force" in str(caught.value.hint)
            assert require(conn), "it may be read"
            assert len(chain.entries(conn, "p")) == 1
            assert uninstall(conn)
            install(conn)
            assert copied(conn) is None
    assert copied(ledger) is None


def test_one_that_came_back_from_a_dump_of_its_own_database_is_not_worked_with(
    dsn: str, ledger: Connection[Any], programs: Path
) -> None:
    """Its tables were made anew, and so were perhaps the application's: their numbers are others."""
    with another_database(dsn) as other:
        dump_and_restore(programs, dsn, other)
        uninstall(ledger)
        dump_and_restore(programs, other, dsn)
    assert isinstance(copied(ledger), LedgerError)


def test_rows_that_were_replaced_in_place_are_not_worked_with(ledger: Connection[Any]) -> None:
    """As logical replication into an empty table, or a dump of data alone, would do."""
    ledger.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM lockgate.home")
    ledger.execute("TRUNCATE lockgate.home")
    assert isinstance(copied(ledger), LedgerError)
    ledger.execute("INSERT INTO lockgate.home SELECT * FROM kept")
    assert isinstance(copied(ledger), LedgerError)


def test_whoever_knows_better_says_so(dsn: str, ledger: Connection[Any], programs: Path) -> None:
    with another_database(dsn) as other:
        dump_and_restore(programs, dsn, other)
        with opened(other) as conn:
            conn.execute("SELECT lockgate.settle()")
            assert require_home(conn)
            assert conn.execute("SELECT database FROM lockgate.home").fetchall() == [(conn.info.dbname,)]


def test_the_servers_own_copy_of_a_database_goes_on(dsn: str) -> None:
    """Numbers of relations are the same in it, and transaction ids are the cluster's."""
    with opened(dsn) as conn:
        install(conn)
    with template_copy(dsn) as other, opened(other) as conn:
        assert copied(conn) is None


def test_a_role_that_may_not_ask_for_the_cluster(dsn: str, conn: Connection[Any]) -> None:
    conn.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    role = f"role_{conninfo_to_dict(dsn)['dbname']}"
    conn.execute(f"CREATE ROLE {role}".encode())
    try:
        conn.execute(f"CREATE SCHEMA lockgate AUTHORIZATION {role}".encode())
        conn.execute(f"SET ROLE {role}".encode())
        install(conn)
        assert conn.execute("SELECT cluster FROM lockgate.home").fetchone() == (None,)
        assert copied(conn) is None
        conn.execute("UPDATE lockgate.home SET at = at")
        error = copied(conn)
        assert error is not None
        assert error.where == f"database {conn.info.dbname}, schema lockgate"
    finally:
        conn.execute("RESET ROLE")
        conn.execute(f"DROP OWNED BY {role} CASCADE".encode())
        conn.execute(f"DROP ROLE {role}".encode())


def test_files_that_were_copied_or_upgraded_are_at_home(own_server: StartServer) -> None:
    """A replica that was promoted has the same rows; pg_upgrade keeps them, under another cluster's identifier."""
    server, fresh = own_server(), own_server()
    with opened(server.dsn()) as conn:
        install(conn)
    server.stop()
    with copy_files(server, fresh.directory / "copy") as backup, opened(backup.dsn()) as conn:
        assert require_home(conn)
    fresh.stop()
    upgrade(server, fresh)
    fresh.start()
    with opened(fresh.dsn()) as conn:
        asked = "SELECT (SELECT system_identifier FROM pg_control_system()) = cluster FROM lockgate.home"
        assert conn.execute(asked).fetchone() == (False,)
        assert require_home(conn)
