"""A backup that a standby is read for: of the same state, and no older than it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate import manifest
from lockgate.backup.make import Made, make
from lockgate.backup.prove import prove
from lockgate.embedded import EmbeddedServer
from lockgate.engine.clock import FakeClock
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError, PlanError
from tests.conftest import StartServer
from tests.copies import standby_of
from tests.integration.backup.shop import SHOP
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server  # it has servers of its own

Pair = tuple[EmbeddedServer, EmbeddedServer]


def run(dsn: str, statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statements.encode())


@pytest.fixture
def pair(own_server: StartServer) -> Iterator[Pair]:
    primary = own_server(fsync="off")
    with standby_of(primary) as standby:
        run(primary.dsn(), SHOP)
        yield primary, standby


def from_standby(primary: Sessions, standby: str, to: Path, *patterns: str) -> Made:
    return make(primary, to, "shop", patterns=patterns, standby=Sessions(standby))


def test_it_has_the_state_of_the_database_and_says_where_it_is_from(pair: Pair, tmp_path: Path) -> None:
    primary, standby = pair
    run(primary.dsn(), "INSERT INTO core.orders (customer) SELECT 1 FROM generate_series(1, 50000)")
    made = from_standby(Sessions(primary.dsn()), standby.dsn(), tmp_path)
    assert {table.label: table.rows for table in made.manifest.tables}["core.orders"] == 50_500
    said = manifest.read(made.folder)
    assert said.standby is not None
    assert str(standby.directory) in said.standby
    with psycopg.connect(primary.dsn()) as conn:
        [(later,)] = conn.execute("SELECT clock_timestamp() > %s", (said.snapshot_at,))
    assert later
    assert prove(made.folder, on=primary.dsn()).remarks == ()
    assert make(Sessions(primary.dsn()), tmp_path / "own", "shop").manifest.standby is None


def test_one_that_does_not_catch_up(pair: Pair, tmp_path: Path) -> None:
    primary, standby = pair
    with psycopg.connect(primary.dsn(), autocommit=True) as conn:
        wait_until(lambda: conn.execute("SELECT FROM pg_stat_replication").fetchone() is not None)
    run(standby.dsn(), "SELECT pg_wal_replay_pause()")
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        wait_until(lambda: conn.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",))
    run(primary.dsn(), "CREATE TABLE core.late ()")
    with pytest.raises(LockgateError, match="bytes behind, and does not catch up"):
        from_standby(Sessions(primary.dsn(), clock=FakeClock()), standby.dsn(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_standby_of_it(pair: Pair, own_server: StartServer, tmp_path: Path) -> None:
    primary, standby = pair
    run(primary.dsn(), "CREATE DATABASE another")
    other = own_server(fsync="off").dsn()
    here = Sessions(primary.dsn())
    with pytest.raises(LockgateError, match="This is no standby of the database") as caught:
        from_standby(here, other, tmp_path)
    assert "system identifier" in str(caught.value.why)
    with pytest.raises(LockgateError, match=r"This is no standby\n") as caught:
        from_standby(here, primary.dsn(), tmp_path)
    assert "It does not recover" in str(caught.value.why)
    wait_until(lambda: _opens(standby.dsn("another")))
    with pytest.raises(LockgateError, match="This is no standby of the database"):
        from_standby(here, standby.dsn("another"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def _opens(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_role_that_may_not_ask_is_told_what_helps(pair: Pair, tmp_path: Path) -> None:
    primary, standby = pair
    run(primary.dsn(), "CREATE ROLE plain LOGIN; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    wait_until(lambda: _opens(make_conninfo(standby.dsn(), user="plain")))
    with pytest.raises(LockgateError, match="cannot be told") as caught:
        from_standby(Sessions(make_conninfo(primary.dsn(), user="plain")), standby.dsn(), tmp_path)
    assert "GRANT EXECUTE ON FUNCTION pg_control_system()" in str(caught.value.hint)


def test_rows_that_no_standby_has(pair: Pair, tmp_path: Path) -> None:
    primary, standby = pair
    run(primary.dsn(), "CREATE UNLOGGED TABLE core.fleeting (x int)")
    with pytest.raises(PlanError, match=r"no rows of unlogged tables: core\.fleeting"):
        from_standby(Sessions(primary.dsn()), standby.dsn(), tmp_path)
    assert from_standby(Sessions(primary.dsn()), standby.dsn(), tmp_path, "core.orders").manifest.tables
