"""What the commands do in a database that a ledger was copied into, and in one that moved with its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from lockgate.embedded import EmbeddedServer
from tests.acceptance.cli.processes import running
from tests.acceptance.shop import Shop, make
from tests.conftest import StartServer
from tests.copies import another_database, dump_and_restore, upgrade
from tests.waiting import wait_until

WRITES = (
    ("apply", "{plan}"),
    ("sync", "{plan}"),
    ("work", "{plan}"),
    ("pause", "{plan}"),
    ("resume", "{plan}"),
    ("tune", "{plan}", "--workers", "2"),
    ("rollback", "{plan}", "--yes"),
    ("approve", "orders", "--by", "Ana", "--plan", "{plan}", "--yes"),
    ("verify", "{plan}"),
)
SAID = "The ledger in this database was not written here"


@pytest.fixture
def restored(shop: Shop, embedded_server: EmbeddedServer) -> Iterator[Shop]:
    """A shop from the dump of one whose subscribers are kept in step."""
    shop.run("apply", "{plan}", "--to", "subscribers")
    with another_database(shop.dsn) as dsn:
        dump_and_restore(embedded_server.bin, shop.dsn, dsn)
        yield replace(shop, dsn=dsn)


def test_a_restored_ledger_is_read_and_not_worked_with(shop: Shop, restored: Shop) -> None:
    before = restored.sql("SELECT * FROM lockgate.chain_head")
    for words in WRITES:
        said = restored.run(*words, code=1).stderr
        assert f"Error: {SAID}" in said, words
        assert "`lockgate uninstall --force`" in said
    assert restored.sql("SELECT * FROM lockgate.chain_head") == before
    assert SAID in restored.run("plan", "{plan}", code=1).stdout
    assert f"ALARM: {SAID}" in restored.run("status", "{plan}", code=1).stdout
    assert restored.object("status", "{plan}", code=1)["alarms"][0].startswith(SAID)
    assert f"fail  ledger:    {SAID}" in restored.run("doctor", "{plan}", code=1).stdout
    for words in (("report", "{plan}"), ("verify", "{plan}", "--ledger")):
        result = restored.run(*words)
        assert f"Warning: {SAID}" in result.stderr
        assert SAID not in shop.run(*words).stderr
    # On a busy machine it may complain that nobody has applied anything for a while.
    assert SAID not in shop.run("status", "{plan}", code=None).stdout


def test_it_is_taken_out_of_the_copy(restored: Shop) -> None:
    assert "Sync is live" in restored.run("uninstall", "--yes", code=1).stderr
    restored.run("uninstall", "--yes", "--force")
    restored.sql("INSERT INTO old.customers (name, email) VALUES ('New', 'new@example.com')")
    assert restored.sql("SELECT count(*) FROM shop.subscribers WHERE email = 'new@example.com'") == [(0,)]
    assert "There was nothing of Lockgate" in restored.run("uninstall", "--yes").stdout


def test_a_service_ends_when_a_restored_database_answers_at_its_address(
    shop: Shop, embedded_server: EmbeddedServer
) -> None:
    """It had waited for the database to come back, and another one came."""
    shop.run("apply", "{plan}", "--to", "subscribers")
    name = psycopg.conninfo.conninfo_to_dict(shop.dsn)["dbname"]
    with another_database(shop.dsn) as kept, running(shop, "sync", "{plan}") as sync:
        sync.await_words("applies the changes")
        dump_and_restore(embedded_server.bin, shop.dsn, kept)
        admin = replace(shop, dsn=psycopg.conninfo.make_conninfo(shop.dsn, dbname="postgres"))
        admin.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        dump_and_restore(embedded_server.bin, kept, shop.dsn)
        assert sync.end() == 1
        assert f"Error: {SAID}" in sync.said


def test_a_plan_goes_on_after_pg_upgrade(own_server: StartServer, tmp_path: Path) -> None:
    """What was written before the upgrade and not applied is applied after it."""
    old, new = own_server(), own_server()
    shop = make(old.dsn(), tmp_path)
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.sql("INSERT INTO old.customers (name, email) VALUES ('New', 'new@example.com')")
    shop.sql("UPDATE old.customers SET email = NULL WHERE email = 'person100@example.com'")
    old.stop()
    new.stop()
    upgrade(old, new)
    new.start()
    moved = replace(shop, dsn=new.dsn())
    moved.sql("UPDATE old.customers SET email = 'other@example.com' WHERE email = 'person101@example.com'")
    with running(moved, "sync", "{plan}") as sync:
        sync.await_words("applies the changes")
        wait_until(lambda: moved.object("status", "{plan}")["sync"][0]["pending_rows"] == 0, 60)
    moved.finish()
    arrived = moved.sql("SELECT email FROM shop.subscribers WHERE email ~ '^(new|other|person10[01])@' ORDER BY email")
    assert arrived == [("new@example.com",), ("other@example.com",)]
    assert "checks hold" in moved.run("verify", "{plan}").stdout
