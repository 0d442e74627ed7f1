"""Backups: one snapshot for dump and hashes, and a proof that names what is wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from lockgate import manifest
from lockgate.backup import clients
from lockgate.backup.make import Made
from lockgate.backup.prove import prove
from lockgate.catalog import tables
from lockgate.engine.session import Sessions
from lockgate.errors import CheckFailed, DatabaseError, LockgateError, PlanError
from lockgate.manifest import Manifest
from tests.conftest import StartServer
from tests.integration.backup.shop import SHOP, back_up

pytestmark = pytest.mark.one_server  # the embedded server is of one version


@pytest.fixture
def shop(conn: Connection[Any], dsn: str) -> str:
    conn.execute(SHOP.encode())
    return dsn


def rewrite(made: Made, **changes: Any) -> Manifest:
    """A manifest that says something else, with files that fit it."""
    said = replace(made.manifest, **changes)
    manifest.write(made.folder, said)
    return said


def refused(folder: Path, on: str) -> str:
    with pytest.raises(CheckFailed) as caught:
        prove(folder, on=on)
    assert caught.value.where == str(folder)
    return str(caught.value.why)


def test_a_whole_database_restores_to_the_same(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path / "new")
    assert {table.label: table.rows for table in made.manifest.tables} == {
        'Odd "one".Größe *': 3,
        "core.customers": 500,
        "core.events": 400,
        "core.orders": 500,
    }
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert made.digest == manifest.digest(made.folder)
    assert manifest.read(made.folder) == made.manifest
    assert os.listdir(tmp_path / "new") == [made.folder.name]
    proof = prove(made.folder, jobs=2)
    assert proof.remarks == ()
    assert proof.rows == 1403
    assert proof.seconds > 0


def test_some_tables_restore_with_the_types_that_they_need(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path, "core.cust*", '"Odd ""one"""."Größe *"', "core.events")
    assert [table.label for table in made.manifest.tables] == ['Odd "one".Größe *', "core.customers", "core.events"]
    assert prove(made.folder, on=shop).remarks == ()


def test_a_foreign_key_to_a_table_that_is_not_there_is_named_and_not_fatal(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path, "core.orders")
    [remark] = prove(made.folder, on=shop).remarks
    assert remark.startswith("ALTER TABLE ONLY core.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer)")
    assert "Key (" not in remark, "values of rows are not shown"


def test_dump_and_hashes_are_of_one_snapshot(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = tables.choose

    def while_somebody_writes(*given: Any) -> Any:
        """Between the snapshot and all that reads it."""
        chosen = choose(*given)
        with psycopg.connect(shop) as other:
            other.execute("DELETE FROM core.orders WHERE id % 2 = 0; UPDATE core.customers SET name = name || 'x'")
        return chosen

    monkeypatch.setattr(tables, "choose", while_somebody_writes)
    made = back_up(shop, tmp_path)
    assert prove(made.folder, on=shop).rows == 1403


def test_proving_leaves_nothing_behind(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    prove(made.folder, on=shop)
    left = conn.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'lockgate_scratch_%'").fetchone()
    assert left == (0,)


def largest(made: Made) -> str:
    """The file that holds the rows of the largest table."""
    return max(
        (name for name in made.manifest.files if name.endswith(".dat.gz")), key=lambda n: made.manifest.files[n].bytes
    )


def test_a_changed_byte_is_named_by_its_file(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    name = largest(made)
    content = bytearray((made.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (made.folder / name).write_bytes(content)
    assert refused(made.folder, shop) == f"{name} was changed: its SHA-256 is another one"


def test_a_truncated_and_a_missing_file_are_named(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    name = largest(made)
    size = made.manifest.files[name].bytes
    os.truncate(made.folder / name, size - 1)
    (made.folder / "dump" / "toc.dat").unlink()
    why = refused(made.folder, shop)
    assert f"{name} is truncated: {size - 1} of {size} bytes" in why
    assert "dump/toc.dat is missing" in why


def test_tables_that_are_missing_or_other_are_named(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    odd, customers, events, orders = made.manifest.tables
    said = [
        replace(odd, columns=(("a b", "box", False),)),
        replace(customers, hash="0" * 16),
        replace(events, rows=401),
        replace(orders, name="gone"),
    ]
    rewrite(made, tables=tuple(said))
    assert refused(made.folder, shop).splitlines() == [
        'table Odd "one".Größe * has other columns: a b',
        "table core.customers has other content in its 500 rows",
        "table core.events has 400 rows instead of 401",
        "table core.gone is missing",
    ]


def test_a_dump_that_does_not_restore_says_why(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    name = largest(made)
    (made.folder / name).write_bytes(b"\x1f\x8b no archive")
    rewrite(made, files=manifest.files(made.folder))
    why = refused(made.folder, shop)
    assert "has 0 rows instead of" in why
    assert "pg_restore said: " in why


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "tables": 3}'])
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / manifest.NAME).write_text(text)
    with pytest.raises(CheckFailed, match="cannot be read"):
        prove(tmp_path)


def test_a_folder_that_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="no backup"):
        prove(tmp_path)


def test_a_pattern_that_fits_nothing_leaves_nothing(shop: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"core\.order fits no table") as caught:
        back_up(shop, tmp_path, "core.customers", "core.order")
    assert caught.value.hint == "Did you mean core.orders?"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pattern", ["customers", "core.cust?", "Odd one.*", ""])
def test_a_pattern_that_is_none_is_told(shop: str, tmp_path: Path, pattern: str) -> None:
    with pytest.raises(PlanError, match="is no name of tables"):
        back_up(shop, tmp_path, pattern)


def test_too_little_space_is_known_before(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(LockgateError, match="not enough space"):
        back_up(shop, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_pg_dump_refuses_is_said_and_nothing_is_left(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    conn.execute("CREATE ROLE lockgate_reader LOGIN; GRANT USAGE ON SCHEMA core TO lockgate_reader")
    conn.execute("GRANT SELECT ON core.customers TO lockgate_reader")
    try:
        with pytest.raises(DatabaseError) as caught:
            back_up(make_conninfo(shop, user="lockgate_reader"), tmp_path, "core.*", jobs=1)
    finally:
        conn.execute("DROP OWNED BY lockgate_reader; DROP ROLE lockgate_reader")
    assert "permission denied" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nobody_queues_behind_a_backup_that_waits(shop: str, tmp_path: Path) -> None:
    with psycopg.connect(shop) as other:
        other.execute("LOCK core.orders")
        with pytest.raises(DatabaseError) as caught:
            back_up(shop, tmp_path / "second", "core.orders")
    assert "lock timeout" in str(caught.value.why)
    assert caught.value.hint is not None


def test_a_password_is_neither_on_a_command_line_nor_in_an_error(
    own_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server(loopback=True)
    secret = server.dsn().split(":")[2].split("@")[0]
    started: list[Any] = []
    popen = subprocess.Popen

    def watched(command: Any, **given: Any) -> Any:
        started.append(command)
        return popen(command, **given)

    monkeypatch.setattr(subprocess, "Popen", watched)
    with psycopg.connect(server.dsn()) as conn:
        conn.execute("CREATE TABLE x (id int PRIMARY KEY)")
    made = back_up(server.dsn(), tmp_path)
    prove(made.folder, on=server.dsn())
    assert len(started) >= 4
    assert secret not in str(started)
    assert secret not in json.dumps(str(made))
    with (
        clients.running(clients.find(18, ""), "pg_dump", [f"--{secret}"], server.dsn()) as run,
        pytest.raises(DatabaseError) as caught,
    ):
        run.succeed()
    assert secret not in str(caught.value)


def program(folder: Path, version: str) -> Path:
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian)'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_clients_are_those_of_the_server_else_the_next_newer(tmp_path: Path) -> None:
    folders = [program(tmp_path / name, name) for name in ("14.2", "16.1", "99.3", "97beta1")]
    far = "db.example"
    assert clients.find(14, far, folders).version == "14.2"
    assert clients.find(15, far, folders).version == "16.1"
    assert clients.find(17, far, folders).version == "97beta1"
    assert clients.find(17, "/tmp", folders).major == 18, "the embedded ones, for this machine"
    with pytest.raises(LockgateError, match="no pg_dump for a server of version 18") as caught:
        clients.find(18, far, folders[:2])
    assert caught.value.why == "Those that were found are older: 14.2, 16.1."


def test_a_key_with_a_password_is_refused(shop: str) -> None:
    with (
        pytest.raises(LockgateError, match="without showing it"),
        clients.running(clients.find(14, ""), "pg_dump", [], "host=a sslpassword=b"),
    ):
        pass


def test_versions_without_a_server_here_need_one(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    rewrite(made, major=16)
    with pytest.raises(LockgateError, match="no server here to restore a backup of PostgreSQL 16"):
        prove(made.folder)


def test_sessions_are_left_as_they_were(shop: str, tmp_path: Path) -> None:
    back_up(shop, tmp_path)
    with Sessions(shop).open("test") as conn:
        [(count,)] = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockgate:backup'")
    assert count == 0


def test_rows_on_another_server_are_in_no_backup(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    conn.execute("CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far")
    conn.execute("CREATE FOREIGN TABLE core.e PARTITION OF core.events DEFAULT SERVER far")
    with pytest.raises(PlanError, match=r"core\.events has rows on another server"):
        back_up(shop, tmp_path)
    assert back_up(shop, tmp_path, "core.orders").manifest.tables[0].rows == 500
