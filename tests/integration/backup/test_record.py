"""What the ledger keeps of backups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from lockgate.backup import record
from lockgate.backup.prove import prove
from lockgate.engine.session import Sessions
from lockgate.errors import LedgerError
from lockgate.ledger import backups, chain, install
from tests.integration.backup.shop import SHOP, back_up

pytestmark = pytest.mark.one_server


def test_a_backup_and_its_proof_are_kept_and_in_the_chain(conn: Connection[Any], dsn: str, tmp_path: Path) -> None:
    conn.execute(SHOP.encode())
    install(conn)
    sessions = Sessions(dsn)
    made = back_up(dsn, tmp_path, "core.*")
    number = record.keep(sessions, "shop", made)
    [row] = backups.known(conn)
    assert (row.id, row.plan, row.chosen, row.folder) == (number, "shop", ["core.*"], str(made.folder))
    assert row.tables["core.orders"]["rows"] == 500
    assert row.snapshot_at == made.manifest.snapshot_at
    assert row.proven_at is None
    record.proven(sessions, "shop", number, made, prove(made.folder, on=dsn))
    [row] = backups.known(conn)
    assert row.proven_at is not None
    assert row.restore_seconds
    first, second = (entry.payload for entry in chain.entries(conn, "shop", ["evidence"]))
    assert first["name"] == f"backup:{number}"
    assert first["result"]["manifest_sha256"] == made.digest == second["result"]["manifest_sha256"]
    assert first["result"]["tables"]["core.orders"]["hash"] == row.tables["core.orders"]["hash"]
    assert first["query"].startswith("pg_dump --format=directory")
    assert "host" not in first["query"]
    assert second["result"]["rows"] == 1400
    assert chain.verify(conn) == []


def test_the_newest_snapshot_comes_first(conn: Connection[Any], dsn: str, tmp_path: Path) -> None:
    install(conn)
    made = [back_up(dsn, tmp_path / name) for name in ("one", "two")]
    for one in reversed(made):
        record.keep(Sessions(dsn), "shop", one)
    assert [row.folder for row in backups.known(conn)] == [str(made[1].folder), str(made[0].folder)]


def test_without_a_ledger_there_are_none(conn: Connection[Any], dsn: str, tmp_path: Path) -> None:
    assert backups.known(conn) == []
    with pytest.raises(LedgerError):
        record.keep(Sessions(dsn), "shop", back_up(dsn, tmp_path))


def test_a_proof_of_no_backup_is_refused(conn: Connection[Any]) -> None:
    install(conn)
    with pytest.raises(LedgerError, match="no backup 7"):
        backups.proven(conn, 7, 1.0)
