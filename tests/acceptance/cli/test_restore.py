"""`lockgate restore`: what was backed up comes back, and what it says of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.shop import Shop
from tests.copies import another_database

pytestmark = pytest.mark.one_server  # the backup and the clients are of one version


@pytest.fixture
def folder(shop: Shop, tmp_path: Path) -> str:
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.run("backup", "{plan}", "--to", str(tmp_path / "backups"), "--no-prove")
    [made] = (tmp_path / "backups").iterdir()
    return str(made)


def test_a_dropped_table_comes_back(shop: Shop, folder: str) -> None:
    rows = shop.sql("SELECT * FROM old.orders ORDER BY 1")
    shop.sql("DROP TABLE old.orders")
    said = shop.run("restore", folder, "--table", "old.orders").stdout
    assert f"Restored 1 table with {len(rows)} rows in " in said
    assert "Columns, rows and content of every table are what was backed up." in said
    assert "Not as it was" not in said
    assert shop.sql("SELECT * FROM old.orders ORDER BY 1") == rows
    shop.run("verify", "{plan}", "--ledger")
    assert shop.sql("SELECT count(*) FROM lockgate.chain WHERE payload ->> 'name' LIKE 'restored_from_backup:%'") == [
        (1,)
    ]


def test_a_table_that_is_there_is_not_overwritten(shop: Shop, folder: str) -> None:
    told = shop.run("restore", folder, "--table", "old.orders", code=1).stderr
    assert "nothing is overwritten" in told
    assert "table old.orders" in told


def test_a_whole_database_for_programs(shop: Shop, folder: str) -> None:
    with another_database(shop.dsn) as other:
        ended = shop.run("restore", folder, "--database", other, "--format", "json")
        assert Shop(other, shop.plan).object("status", "{plan}", code=1)["copied"]
    assert '"missing": []' in ended.stdout
    assert '"changed": {}' in ended.stdout
    assert '"schema_changed": []' in ended.stdout
    assert "The ledger in this database was not written here" in ended.stderr


def test_what_is_missing_comes_with_its_sql(shop: Shop, folder: str) -> None:
    with another_database(shop.dsn) as other:
        said = shop.run("restore", folder, "--table", "old.orders", "--database", other).stdout
    assert "Not as it was: constraints of old.orders" in said
    assert "Not restored: foreign key old.orders" in said
    assert "  Its SQL: ALTER TABLE ONLY old.orders ADD CONSTRAINT" in said


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("{folder}", "--table", "old.order"), 2, "Did you mean old.orders?"),
        (("{folder}", "--schema", "lockgate"), 2, "The ledger cannot be restored"),
        (("{folder}/none",), 1, "There is no backup that can be read"),
    ],
)
def test_what_cannot_be_asked_for(shop: Shop, folder: str, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in shop.run("restore", *(word.replace("{folder}", folder) for word in words), code=code).stderr
