"""The space of old row versions is used again while rows are changed; without the right to, nothing fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from lockgate.catalog import relations
from lockgate.engine.session import Sessions
from lockgate.engine.sweeping import Sweeper
from tests.integration.engine.plans import one
from tests.waiting import wait_until

ROWS = 20_000
SLOW = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET vacuum_cost_delay = 100', current_database());
            EXECUTE format('ALTER DATABASE %I SET vacuum_cost_limit = 1', current_database()); END $$
"""
RUNS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'VACUUM%Odd one%' AND state = 'active'"


@pytest.fixture
def table(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            'CREATE TABLE public."Odd one" (id bigint PRIMARY KEY, value int, note text) '
            "WITH (autovacuum_enabled = false)"
        )
        rows = f"SELECT g, 0, repeat(chr(120), 100) FROM generate_series(1, {ROWS}) g"
        conn.execute(f'INSERT INTO public."Odd one" {rows}'.encode())
        conn.execute('ANALYZE public."Odd one"')
    return dsn


def _change(conn: Connection[Any], low: int) -> int:
    statement = f'UPDATE public."Odd one" SET value = value + 1 WHERE id > {low} AND id <= {low + ROWS // 2}'
    return conn.execute(statement.encode()).rowcount


def _size(dsn: str) -> int:
    return int(one(dsn, """SELECT pg_relation_size('public."Odd one"')"""))


def _sweeper(dsn: str, stop: threading.Event) -> Sweeper:
    with psycopg.connect(dsn) as conn:
        found = relations.find(conn, "public", "Odd one")
        assert found is not None
        return Sweeper(Sessions(dsn), relations.read(conn, found), stop)


def test_the_space_of_what_was_changed_is_used_again(table: str) -> None:
    with psycopg.connect(table, autocommit=True) as conn, _sweeper(table, threading.Event()) as sweeper:
        sweeper.changed(_change(conn, 0))
        grown = _size(table)
        wait_until(lambda: _vacuums(table) == 1)
        sweeper.changed(_change(conn, ROWS // 2))
        assert _size(table) < grown * 1.1, "the new rows have the place of the old ones"
    assert _vacuums(table) >= 2, "and at the end once more, with the indexes"


def test_few_changes_are_not_worth_it(table: str) -> None:
    with _sweeper(table, threading.Event()) as sweeper:
        sweeper.changed(100)
    assert _vacuums(table) == 0


@pytest.mark.parametrize("before_the_end", [True, False])
def test_whoever_stops_need_not_wait_for_it(table: str, before_the_end: bool) -> None:
    """It would wait between its pages for as long as an hour; also when the chunks are done, and it is waited for."""
    stop = threading.Event()

    def stop_it() -> None:
        wait_until(lambda: one(table, RUNS))
        stop.set()

    with psycopg.connect(table, autocommit=True) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute(SLOW)
        with _sweeper(table, stop) as sweeper:
            sweeper.changed(_change(conn, 0))
            if before_the_end:
                stop_it()
            else:
                stopped = pool.submit(stop_it)
        if not before_the_end:
            stopped.result(60)
    assert _vacuums(table) == 0


def test_whoever_wants_the_table_for_itself_need_not_wait_for_it(table: str) -> None:
    """Else everybody who reads the table would wait behind that one."""
    stop = threading.Event()
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute(SLOW)
        conn.execute("SET statement_timeout = '30s'")
        with _sweeper(table, stop) as sweeper:
            sweeper.changed(_change(conn, 0))
            wait_until(lambda: one(table, RUNS))
            conn.execute('ALTER TABLE public."Odd one" ADD COLUMN more int')
            sweeper.changed(ROWS)
            wait_until(lambda: one(table, RUNS), what="it goes on with the next share")
            stop.set()
    assert _vacuums(table) == 0


def test_a_role_that_may_not_vacuum_goes_on_without(table: str) -> None:
    role = f"mover_{token_hex(4)}"
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute(f'CREATE ROLE {role} LOGIN; GRANT SELECT, UPDATE ON public."Odd one" TO {role}'.encode())
        try:
            with _sweeper(make_conninfo(table, user=role), threading.Event()) as sweeper:
                sweeper.changed(_change(conn, 0))
        finally:
            conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert _vacuums(table) == 0


def _vacuums(dsn: str) -> int:
    return int(one(dsn, "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'Odd one'"))


def test_a_table_that_has_gone_ends_it_quietly(table: str) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        sweeper = _sweeper(table, threading.Event())
        conn.execute('DROP TABLE public."Odd one"')
        with sweeper:
            sweeper.changed(ROWS)
