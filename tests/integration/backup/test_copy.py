"""A provider's snapshot, restored elsewhere and reached by an address: what is proven of it, and what is not."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate import erasure
from lockgate.backup import copy
from lockgate.backup.copy import Copy
from lockgate.backup.mark import mark
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.erasure import Wanted
from lockgate.errors import CheckFailed, LedgerError
from lockgate.ledger import audit, backups, install
from lockgate.ledger.backups import Mark
from tests.conftest import StartServer
from tests.copies import another_database, template_copy
from tests.integration.backup.shop import SHOP
from tests.integration.engine.plans import one, rows, sessions, write_plan

CUSTOMERS, ORDERS = "core.customers", "core.orders"
FIRST = (
    "UPDATE core.orders SET price = price + 1 WHERE id = 7",
    "INSERT INTO core.orders (customer, price) VALUES (1, 2)",
)


@pytest.fixture
def shop(dsn: str) -> str:
    act(dsn, SHOP)
    with psycopg.connect(dsn, autocommit=True) as conn:
        install(conn)
    return dsn


def act(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def marked(dsn: str, *patterns: str) -> Mark:
    return mark(sessions(dsn), "shop", patterns, Silent())


def proven(dsn: str, there: str, number: int | None = None) -> Copy:
    return copy.prove(sessions(dsn), sessions(there), "shop", number, Silent())


def refused(dsn: str, there: str, what: str, why: str = "") -> None:
    """Nothing is noted as a backup, and what differs is named."""
    with pytest.raises(CheckFailed) as caught:
        proven(dsn, there)
    assert caught.value.what.startswith(what), str(caught.value)
    assert why in (caught.value.why or ""), str(caught.value)
    assert rows(dsn, "SELECT FROM lockgate.backups") == []


def test_a_copy_is_noted_as_a_backup_as_old_as_its_mark(shop: str) -> None:
    of = marked(shop)
    with template_copy(shop) as there:
        address = make_conninfo(there, password="secret", user="postgres")
        made = proven(shop, address)
    assert set(made.labels("mark")) == {CUSTOMERS, "core.events", ORDERS, 'Odd "one".Größe *'} == set(made.tables)
    with psycopg.connect(shop, autocommit=True) as conn:
        [row] = backups.known(conn)
        assert audit.verify(conn) == []
    assert (row.kind, row.snapshot_at, row.chosen, row.id) == ("copy", of.at, [], made.id)
    assert row.proven_at is not None
    assert row.tables[ORDERS] == {"rows": 500, "hash": of.tables[ORDERS]["hash"], "compared": "mark"}
    for table in ("backups", "chain"):
        assert not rows(shop, f"SELECT FROM lockgate.{table} t WHERE t::text LIKE '%secret%'")


def test_what_was_written_meanwhile_is_said_and_not_compared(shop: str) -> None:
    marked(shop)
    act(shop, FIRST[0])
    with template_copy(shop) as there:
        act(shop, FIRST[1], "DROP TABLE core.events")
        act(there, "DROP TABLE core.events")
        made = proven(shop, there)
    assert made.labels("written") == [ORDERS]
    assert set(made.tables) == {CUSTOMERS, ORDERS, 'Odd "one".Größe *'}
    assert one(shop, "SELECT tables->'core.orders'->>'compared' FROM lockgate.backups") == "written"


def test_what_was_written_before_the_copy_and_not_since_is_equal_now(shop: str) -> None:
    marked(shop)
    act(shop, FIRST[0])
    with template_copy(shop) as there:
        assert proven(shop, there).labels("now") == [ORDERS]


@pytest.mark.parametrize(
    ("change", "what", "why"),
    [
        ("UPDATE core.customers SET name = 'x' WHERE id = 3", "The copy is not what the database was",
         "table core.customers has other content in its 500 rows"),
        ("DELETE FROM core.orders WHERE id = 3", "The copy is not what the database was",
         "table core.orders has 499 rows instead of 500"),
        ('DROP TABLE "Odd ""one"""."Größe *"', "The copy has another schema",
         'table "Odd ""one"""."Größe *": is missing'),
        ("DROP INDEX core.by_price", "The copy has another schema", "index core.by_price: is missing"),
        ("TRUNCATE lockgate.marks", "The database there does not hold mark 1", "It has no mark of this database."),
        ("DROP SCHEMA lockgate CASCADE", "The database there does not hold mark 1", "It has no mark of this database."),
    ],
)  # fmt: skip
def test_what_differs_is_named(shop: str, change: str, what: str, why: str) -> None:
    act(shop, "CREATE INDEX by_price ON core.orders (price)")
    marked(shop)
    with template_copy(shop) as there:
        act(there, change)
        refused(shop, there, what, why)


def test_a_table_that_is_empty_there(shop: str) -> None:
    """As an unlogged one is after a restore."""
    marked(shop)
    with template_copy(shop) as there:
        act(there, "TRUNCATE core.orders")
        act(shop, FIRST[0])
        refused(shop, there, "The copy is not what the database was", "table core.orders is empty")


def test_a_copy_from_before_the_mark(shop: str) -> None:
    marked(shop)
    with template_copy(shop) as there:
        later = marked(shop)
        with pytest.raises(CheckFailed, match=r"does not hold mark 2") as caught:
            proven(shop, there, later.id)
        assert caught.value.why == "It was taken before the mark was written."
        assert proven(shop, there).mark.id == 1


def test_another_database(shop: str) -> None:
    marked(shop)
    with another_database(shop) as there:
        act(there, SHOP)
        refused(shop, there, "The database there does not hold mark 1", "It has no mark of this database.")


@pytest.mark.one_server
def test_another_cluster_is_named(shop: str, own_server: StartServer) -> None:
    marked(shop)
    refused(shop, own_server().dsn(), "The database there does not hold mark 1", "it is of another cluster: ")


def test_the_database_itself_is_no_copy(shop: str) -> None:
    marked(shop)
    refused(shop, shop, "This is the database itself, not a copy")


def test_without_a_mark(shop: str) -> None:
    with pytest.raises(LedgerError, match="Plan shop has no mark"):
        proven(shop, shop)


PLAN = """
phases:
  - id: retire
    steps:
      - archive: [core.orders]
        retain: 90d
        tombstone: true
"""
GUARD = "ALTER TABLE archive.orders {} TRIGGER lockgate_archived"
CHANGED = GUARD.format("DISABLE"), "DELETE FROM archive.orders WHERE id = 9", GUARD.format("ENABLE ALWAYS")


@pytest.fixture
def archived(shop: str, tmp_path: Path) -> str:
    runner.apply(write_plan(tmp_path, PLAN), sessions(shop))
    return shop


def erase(dsn: str, customer: int) -> None:
    wanted = Wanted("shop", (), "customer", str(customer), "request 7", "Ana Souza")
    assert erasure.erase(sessions(dsn), wanted, progress=Silent(), stop=threading.Event()).rows == 1


def test_an_archived_table_is_what_an_erasure_has_left(archived: str) -> None:
    """Each of two, and not only the last one."""
    erase(archived, 1)
    marked(archived)
    erase(archived, 2)
    with template_copy(archived) as there:
        erase(archived, 3)
        assert proven(archived, there).labels("erased") == ["archive.orders"]
        act(there, *CHANGED)
        with pytest.raises(CheckFailed) as caught:
            proven(archived, there)
    assert caught.value.why == (
        "table archive.orders is archived, no erasure since the mark has left it so, and it has 497 rows instead of 499"
    )


@pytest.mark.one_server
def test_an_archived_table_that_was_changed_here_and_there(archived: str) -> None:
    marked(archived)
    act(archived, *CHANGED)
    with template_copy(archived) as there:
        refused(archived, there, "The copy is not what the database was", "no erasure since the mark has left it so")


@pytest.mark.one_server
def test_a_table_that_was_archived_after_the_mark(shop: str, tmp_path: Path) -> None:
    """A view answers at its name, which is no table."""
    marked(shop)
    runner.apply(write_plan(tmp_path, PLAN), sessions(shop))
    with template_copy(shop) as there:
        assert set(proven(shop, there).tables) == {CUSTOMERS, "core.events", 'Odd "one".Größe *'}


def test_some_tables_only(shop: str) -> None:
    marked(shop, "core.c*")
    with template_copy(shop) as there:
        act(there, "UPDATE core.orders SET price = 0")
        assert list(proven(shop, there).tables) == [CUSTOMERS]
    assert one(shop, "SELECT chosen FROM lockgate.backups") == ["core.c*"]
