"""The gate that asks for a backup, and names which demand is not met."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from lockgate import manifest
from lockgate.backup import copy, record
from lockgate.backup.make import Made
from lockgate.backup.mark import mark
from lockgate.backup.prove import Proof
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.errors import GateRefused
from tests.copies import template_copy
from tests.integration.backup.shop import SHOP, back_up
from tests.integration.engine.plans import Told, rows, sessions, write_plan

pytestmark = pytest.mark.one_server

PLAN = """
phases:
  - id: retire
    before:
      - backup: {gate}
    steps: [{{sql: SELECT 1}}]
"""
CORE = "{within: 1h, tables: [core.*]}"


@pytest.fixture
def shop(conn: Connection[Any], dsn: str) -> str:
    conn.execute(SHOP.encode())
    return dsn


def keep(dsn: str, to: Path, *patterns: str, restored: bool = True) -> Made:
    """A backup in the ledger; that restoring proves it is tested elsewhere."""
    made = back_up(dsn, to, *patterns)
    number = record.keep(sessions(dsn), "shop", made)
    if restored:
        record.proven(sessions(dsn), "shop", number, made, Proof(1.5, 3, ()))
    return made


def opened(dsn: str, folder: Path, gate: str) -> str:
    told = Told()
    runner.apply(write_plan(folder / "plan", PLAN.format(gate=gate)), sessions(dsn), progress=told)
    return "\n".join(line for line in told.events if line.startswith("gate of retire: "))


def refused(dsn: str, folder: Path, gate: str) -> GateRefused:
    with pytest.raises(GateRefused) as caught:
        opened(dsn, folder, gate)
    assert caught.value.where == "plan.yaml:6:9"
    return caught.value


def test_it_opens_for_a_backup_that_meets_every_demand(shop: str, tmp_path: Path) -> None:
    made = keep(shop, tmp_path, "core.*")
    told = opened(shop, tmp_path, CORE)
    assert "backup 1 of 3 tables is 0:0" in told
    assert told.endswith("old, restored in 1.5 s")
    [(found,)] = rows(shop, "SELECT payload->'result' FROM lockgate.chain WHERE payload->>'name' = 'backup_gate:1'")
    assert found["manifest_sha256"] == made.digest
    assert found["files_read"] is True
    assert found["tables"] == ["core.customers", "core.events", "core.orders"]


def test_the_whole_database(shop: str, tmp_path: Path) -> None:
    keep(shop, tmp_path / "part", "core.*", '"Odd ""one""".*', "lockgate.*")
    error = refused(shop, tmp_path, "{within: 1h}")
    assert 'backup 1 is not of the whole database but of core.*, "Odd ""one""".*, lockgate.*' in error.what
    keep(shop, tmp_path / "whole")
    assert "backup 2 of the whole database" in opened(shop, tmp_path, "{within: 1h}")


def test_without_a_backup_the_command_is_named(shop: str, tmp_path: Path) -> None:
    error = refused(shop, tmp_path, CORE)
    assert "there is no backup of this database" in error.what
    assert error.hint == f"Make one with `lockgate backup {tmp_path / 'plan'} --tables 'core.*'`, then go on."


def test_a_table_that_is_not_in_it(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    keep(shop, tmp_path, "core.*")
    conn.execute("CREATE TABLE core.new ()")
    assert "backup 1 does not hold core.new" in refused(shop, tmp_path, CORE).what


def test_a_pattern_that_fits_no_table(shop: str, tmp_path: Path) -> None:
    keep(shop, tmp_path)
    assert "kore.* fits no table" in refused(shop, tmp_path, "{within: 1h, tables: [kore.*]}").what


def test_one_that_is_too_old(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    keep(shop, tmp_path, "core.*")
    conn.execute("UPDATE lockgate.backups SET snapshot_at = snapshot_at - interval '61 min'")
    error = refused(shop, tmp_path, CORE)
    assert "backup 1 is 1:01:0" in error.what
    assert error.what.endswith("old, and may be 1h")


def test_one_that_was_never_restored(shop: str, tmp_path: Path) -> None:
    keep(shop, tmp_path, "core.*", restored=False)
    assert "backup 1 was never restored" in refused(shop, tmp_path, CORE).what
    opened(shop, tmp_path, "{within: 1h, tables: [core.*], restored: false}")


def test_a_file_that_was_changed(shop: str, tmp_path: Path) -> None:
    made = keep(shop, tmp_path, "core.*")
    with (made.folder / "dump" / "toc.dat").open("ab") as file:
        file.write(b"x")
    assert "dump/toc.dat is longer than it was" in refused(shop, tmp_path, CORE).what


def test_a_manifest_that_was_changed(shop: str, tmp_path: Path) -> None:
    made = keep(shop, tmp_path, "core.*")
    manifest.write(made.folder, replace(made.manifest, client="0"))
    assert "the manifest in" in refused(shop, tmp_path, CORE).what


def test_a_folder_that_is_gone_here_or_is_elsewhere(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = keep(shop, tmp_path, "core.*")
    shutil.rmtree(made.folder)
    assert "backup 1 is gone" in refused(shop, tmp_path, CORE).what
    conn.execute("UPDATE lockgate.backups SET host = 'elsewhere'")
    assert f"its files in {made.folder} on elsewhere cannot be reached from here" in opened(shop, tmp_path, CORE)


def test_a_copy_that_is_reached_by_an_address(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    """Its age counts from its mark, and what of it was not compared is said."""
    of = mark(sessions(shop), "shop", (), Silent())
    conn.execute("UPDATE core.orders SET price = 0 WHERE id = 1")
    conn.close()
    with template_copy(shop) as there:
        with psycopg.connect(there, autocommit=True) as other:
            other.execute("UPDATE core.orders SET price = 1 WHERE id = 1")
        copy.prove(sessions(shop), sessions(there), "shop", of.id, Silent())
    older = "UPDATE lockgate.backups SET snapshot_at = snapshot_at - interval '{} min'"
    with psycopg.connect(shop, autocommit=True) as again:
        again.execute(older.format(61).encode())
        assert "backup 1 is 1:0" in refused(shop, tmp_path / "old", CORE).what
        again.execute(older.format(-61).encode())
    told = opened(shop, tmp_path / "new", CORE + "\n      - backup: {within: 1h}")
    assert "backup 1 of 3 tables is 0:0" in told
    assert "old at most, 2 tables equal to the database's, 1 written meanwhile and not compared; it was at " in told
    assert "3 tables equal to the database's, 1 written" in told


def test_an_older_one_that_is_good_opens_it(shop: str, tmp_path: Path) -> None:
    keep(shop, tmp_path / "one", "core.*")
    keep(shop, tmp_path / "two", "core.*", restored=False)
    keep(shop, tmp_path / "three", "core.orders")
    assert "backup 1 of 3 tables" in opened(shop, tmp_path, CORE)
