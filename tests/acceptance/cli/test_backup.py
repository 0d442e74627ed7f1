"""`lockgate backup`: a folder, a proof, and what the ledger keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.shop import Shop

pytestmark = pytest.mark.one_server  # the throw-away server is of one version


def test_it_is_made_restored_and_kept_in_the_ledger(shop: Shop, tmp_path: Path) -> None:
    said = shop.run("backup", "{plan}", "--to", str(tmp_path / "backups")).stdout
    assert "Restored in " in said
    assert "columns, rows and content of every table are the same." in said
    [folder] = (tmp_path / "backups").iterdir()
    assert (folder / "manifest.json").exists()
    assert shop.sql("SELECT folder FROM lockgate.backups WHERE proven_at IS NOT NULL") == [(str(folder),)]
    shop.run("verify", "{plan}", "--ledger")


def test_a_ledger_with_a_history_is_backed_up_too(shop: Shop, tmp_path: Path) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    words = ("backup", "{plan}", "--to", str(tmp_path), "--on", shop.dsn)
    result = shop.events(*words)[-1]
    assert result["restored"] is True
    assert result["remarks"] == []
    assert result["tables"]["lockgate.chain"]["rows"] > 0


def test_some_tables_without_a_proof(shop: Shop, tmp_path: Path) -> None:
    words = ("backup", "{plan}", "--to", str(tmp_path), "--tables", "old.*", "--no-prove")
    result = shop.events(*words)[-1]
    assert result["restored"] is False
    assert sorted(result["tables"]) == ["old.customers", "old.orders"]
    assert shop.sql("SELECT count(*) FROM lockgate.backups WHERE proven_at IS NULL") == [(1,)]


def test_a_table_that_is_not_there(shop: Shop, tmp_path: Path) -> None:
    words = ("backup", "{plan}", "--to", str(tmp_path), "--tables", "old.customer")
    told = shop.run(*words, code=2).stderr
    assert "old.customer fits no table" in told
    assert "Did you mean old.customers?" in told


def test_older_ones_go_when_the_new_one_is_proven(shop: Shop, tmp_path: Path) -> None:
    words = ("backup", "{plan}", "--to", str(tmp_path / "backups"), "--tables", "old.*", "--on", shop.dsn)
    first = shop.events(*words)[-1]
    assert (first["removed"], first["spared"]) == ([], [])
    second = shop.events(*words, "--keep", "2")[-1]
    assert second["removed"] == []
    said = shop.run(*words, "--keep", "1", "--keep-for", "1ms").stdout
    assert f"Removed: backup {first['backup']} as of " in said
    assert f"Removed: backup {second['backup']} as of " in said
    assert len(list((tmp_path / "backups").iterdir())) == 1
    assert shop.sql("SELECT count(*) FROM lockgate.backups WHERE removed_at IS NULL") == [(1,)]


def test_nothing_is_removed_for_one_that_is_not_proven(shop: Shop) -> None:
    told = shop.run("backup", "{plan}", "--no-prove", "--keep", "1", code=2).stderr
    assert "only after the new one is proven" in told
    told = shop.run("backup", "{plan}", "--keep-for", "soon", code=2).stderr
    assert "must be a number and a unit" in told
