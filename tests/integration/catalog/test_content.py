"""The content of a table: the same after dump and restore, and different when anything in it is."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import Connection, sql

from lockgate.catalog.content import Content, Way, content
from lockgate.embedded import EmbeddedServer
from lockgate.engine.session import Sessions
from lockgate.errors import PlanError

# Each is made where the oids of its types are others than in the copy.
SHAPES = {
    "plain": "CREATE TABLE x (id int PRIMARY KEY, b text, c numeric, d timestamptz, e jsonb, f bytea, g float8);"
    "INSERT INTO x VALUES (1, 'a', 1.50, '2024-02-29 12:00+02', '{\"a\": [1]}', '\\x00ff', 0.1);"
    "INSERT INTO x VALUES (2)",
    "enum": "CREATE TYPE mood AS ENUM ('sad', 'ok');"
    "CREATE TABLE x (id int PRIMARY KEY, m mood NOT NULL, n mood[]);"
    "INSERT INTO x VALUES (1, 'sad', '{ok,sad}'), (2, 'ok', NULL)",
    "unhashable": "CREATE TABLE x (id int PRIMARY KEY, j json, k xml, p point, v tsvector, b bit(3), m money);"
    "INSERT INTO x VALUES (1, '{\"a\":  1}', NULL, '(0.1,2)', 'a:1 b', B'101', 12.5); INSERT INTO x VALUES (2)",
    "nested": "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (m mood, p point);"
    "CREATE DOMAIN glad AS mood CHECK (VALUE <> 'sad'); CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);"
    "CREATE TABLE x (id int PRIMARY KEY, c pair, d glad, s short, a pair[], r regclass, q int4range);"
    "INSERT INTO x VALUES (1, ROW('sad', '(1,2)'), 'ok', 'abc', ARRAY[ROW('ok', NULL)::pair], 'x', '[1,5)');"
    "INSERT INTO x VALUES (2, ROW(NULL, NULL)), (3, NULL)",
    "no key": "CREATE TABLE x (a int, b text); INSERT INTO x SELECT i % 3, NULL FROM generate_series(1, 10) i",
    "partitioned": "CREATE TABLE x (id int, b text) PARTITION BY RANGE (id);"
    "CREATE TABLE x1 PARTITION OF x FOR VALUES FROM (0) TO (10); CREATE TABLE x2 (b text, id int NOT NULL);"
    "ALTER TABLE x ADD PRIMARY KEY (id); ALTER TABLE x ATTACH PARTITION x2 FOR VALUES FROM (10) TO (20);"
    "INSERT INTO x SELECT i, 'v' || i FROM generate_series(0, 19) i",
    "generated": "CREATE TABLE x (gone int, id int PRIMARY KEY, b int GENERATED ALWAYS AS (id * 2) STORED);"
    "ALTER TABLE x DROP gone; INSERT INTO x VALUES (1), (2)",
    "empty": "CREATE TABLE x (id int PRIMARY KEY)",
    "empty without key": "CREATE TABLE x ()",
    "a column of the alias's name": "CREATE TABLE x (t int PRIMARY KEY, t_ text); INSERT INTO x VALUES (1, 'a')",
}
CHANGES = {
    "enum": "UPDATE x SET n = '{sad}' WHERE id = 1",
    "unhashable": "UPDATE x SET j = '{\"a\": 1}' WHERE id = 1",
    "nested": "UPDATE x SET c = NULL WHERE id = 2",
    "no key": "DELETE FROM x WHERE a = 1; INSERT INTO x SELECT 2, NULL FROM generate_series(1, 4)",
    "partitioned": "UPDATE x SET b = 'other' WHERE id = 15",
    "plain": "UPDATE x SET b = '' WHERE id = 2",
}


def read(dsn: str, name: str = "public.x", way: Way | None = None) -> Content:
    with Sessions(dsn).open("test", read_only=True) as conn:
        return content(conn, oid(conn, name), way)


def oid(conn: Connection[Any], name: str) -> int:
    row = conn.execute("SELECT %s::regclass::oid::bigint", (name,)).fetchone()
    assert row
    return int(row[0])


@pytest.fixture
def copy(conn: Connection[Any], dsn: str) -> Iterator[str]:
    """Another database, in which every type has another oid."""
    name = f"lockgate_copy_{secrets.token_hex(6)}"
    conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield urlsplit(dsn)._replace(path=f"/{name}").geturl()
    finally:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def restore(server: EmbeddedServer, dsn: str, to: str) -> None:
    dump = subprocess.run([server.bin / "pg_dump", "-d", dsn], check=True, capture_output=True).stdout
    psql = [str(server.bin / "psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", to]
    subprocess.run(psql, check=True, input=dump, capture_output=True)


@pytest.mark.one_server
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_same_after_dump_and_restore(
    conn: Connection[Any], dsn: str, copy: str, embedded_server: EmbeddedServer, shape: str
) -> None:
    conn.execute(SHAPES[shape].encode())
    restore(embedded_server, dsn, copy)
    before, after = read(dsn), read(copy)
    assert (before.rows, before.hash, before.way) == (after.rows, after.hash, after.way)
    if shape in CHANGES:
        conn.execute(CHANGES[shape].encode())
        changed = read(dsn)
        assert changed.rows == before.rows
        assert changed.hash != before.hash


def test_rows_that_are_all_plain_are_hashed_whole(conn: Connection[Any], dsn: str) -> None:
    conn.execute(SHAPES["plain"].encode())
    found = read(dsn)
    assert "hash_record_extended(t, 0)" in found.query
    hand = conn.execute("SELECT bit_xor(hash_record_extended(t, 0)) FROM x t").fetchone()
    assert hand is not None
    assert int(found.hash, 16) == hand[0] & (2**64 - 1)


def test_equal_rows_do_not_cancel_each_other(conn: Connection[Any], dsn: str) -> None:
    conn.execute("CREATE TABLE x (a int); INSERT INTO x VALUES (1), (1)")
    ones = read(dsn)
    conn.execute("UPDATE x SET a = 2")
    assert read(dsn).hash != ones.hash
    assert ones.way == "sums"


@pytest.mark.parametrize("key", ["UNIQUE", "UNIQUE DEFERRABLE", "NOT NULL"])
def test_only_a_key_without_nulls_is_one(conn: Connection[Any], dsn: str, key: str) -> None:
    conn.execute(f"CREATE TABLE x (a int {key}); INSERT INTO x VALUES (1)".encode())
    assert read(dsn).way == "sums"
    conn.execute("ALTER TABLE x ADD PRIMARY KEY (a)")
    assert read(dsn).way == "xor"
    assert read(dsn, way="sums").way == "sums"


@pytest.mark.parametrize("name", ["Customer", 'a "b" c', "größe 表", "100%s"])
def test_odd_names(conn: Connection[Any], dsn: str, name: str) -> None:
    table, column = sql.Identifier(name, name), sql.Identifier(name)
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(column))
    conn.execute(sql.SQL("CREATE TABLE {} ({} json, {} int)").format(table, column, sql.Identifier(f"{name}2")))
    conn.execute(sql.SQL("INSERT INTO {} VALUES ('[]', 1)").format(table))
    assert read(dsn, table.as_string(conn)).rows == 1


def test_tables_that_inherit_are_not_part_of_it(conn: Connection[Any], dsn: str) -> None:
    conn.execute("CREATE TABLE x (a int PRIMARY KEY); CREATE TABLE child () INHERITS (x); INSERT INTO x VALUES (1)")
    before = read(dsn)
    conn.execute("INSERT INTO child VALUES (1)")
    assert read(dsn) == before


def test_a_cast_that_somebody_made_does_not_hide_a_change(conn: Connection[Any], dsn: str) -> None:
    conn.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    conn.execute("CREATE FUNCTION same(mood) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'same'$$")
    conn.execute("CREATE CAST (mood AS text) WITH FUNCTION same(mood)")
    conn.execute("CREATE TABLE x (a mood); INSERT INTO x VALUES ('sad')")
    before = read(dsn)
    conn.execute("UPDATE x SET a = 'ok'")
    assert read(dsn).hash != before.hash


def test_large_tables_are_read_in_parallel(conn: Connection[Any], dsn: str) -> None:
    conn.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE x (id int PRIMARY KEY, m mood)")
    conn.execute("INSERT INTO x SELECT i, 'ok' FROM generate_series(1, 1000) i; ANALYZE x")
    query = read(dsn).query
    with psycopg.connect(dsn) as other:
        other.execute("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0")
        plan = "\n".join(row[0] for row in other.execute(f"EXPLAIN {query}".encode()))
    assert "Parallel Seq Scan" in plan


def test_what_holds_no_rows_is_refused(conn: Connection[Any], dsn: str) -> None:
    conn.execute("CREATE VIEW x AS SELECT 1")
    with pytest.raises(PlanError, match=r"public\.x holds no rows"):
        read(dsn)
