"""Rows that come from another database by logical replication, through a real subscription."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.integration.mapping.harness import Bench
from tests.waiting import wait_until


@contextmanager
def publisher(bench: Bench) -> Iterator[str]:
    """Another database of the server, with a published table of three rows and a slot; its address."""
    name = f"lockgate_test_{token_hex(6)}"
    admin = bench.connect()
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    dsn = make_conninfo(bench.dsn, dbname=name)
    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("CREATE SCHEMA old CREATE TABLE p (id int PRIMARY KEY, v text)")
            conn.execute("INSERT INTO old.p SELECT n, 'v' || n FROM generate_series(1, 3) AS n")
            conn.execute("CREATE PUBLICATION lockgate FOR TABLE old.p")
            # By hand: in one server, CREATE SUBSCRIPTION would wait for the end of its own transaction.
            conn.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        yield dsn
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SELECT pg_drop_replication_slot(%s)", (name,))
    finally:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_replicated_rows_are_followed(bench: Bench) -> None:
    """Those of the first copy, and inserts, updates and deletes after it."""
    if bench.one("SHOW wal_level") != "logical":
        pytest.skip("this server's wal_level is not logical")
    bench.sql("CREATE TABLE old.p (id int PRIMARY KEY, v text)", "CREATE TABLE new.c (id int PRIMARY KEY, v text)")
    mapped = bench.map(map="p", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    with publisher(bench) as source:
        slot = str(conninfo_to_dict(source)["dbname"])
        bench.app.execute(
            sql.SQL(
                "CREATE SUBSCRIPTION s CONNECTION {} PUBLICATION lockgate WITH (create_slot = false, slot_name = {})"
            ).format(sql.Literal(source), sql.Literal(slot))
        )
        try:
            wait_until(lambda: bench.one("SELECT count(*) FROM old.p") == 3, what="the first copy")
            with psycopg.connect(source, autocommit=True) as conn:
                conn.execute("INSERT INTO old.p VALUES (4, 'v4')")
                conn.execute("UPDATE old.p SET v = 'changed' WHERE id = 1")
                conn.execute("DELETE FROM old.p WHERE id = 2")
            wait_until(
                lambda: bench.one("SELECT count(*) FILTER (WHERE id = 2) FROM old.p") == 0, 30, what="the delete"
            )
            mapped.drain()
        finally:
            bench.sql(
                "ALTER SUBSCRIPTION s DISABLE", "ALTER SUBSCRIPTION s SET (slot_name = NONE)", "DROP SUBSCRIPTION s"
            )
            wait_until(
                lambda: (
                    bench.one(f"SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '{slot}'") == 0
                ),
                30,
                what="the slot is free",
            )
    assert bench.rows("SELECT id, v FROM new.c ORDER BY id") == [(1, "changed"), (3, "v3"), (4, "v4")]
    mapped.assert_agrees()
