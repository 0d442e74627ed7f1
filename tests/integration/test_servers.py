"""The databases that the tests run on."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.conftest import SECOND_DSN, SECOND_SERVER


@pytest.mark.skipif(not SECOND_DSN, reason=f"{SECOND_SERVER} is not set: no second server is tested")
def test_the_second_server_is_of_another_major_version_than_the_embedded_one() -> None:
    with psycopg.connect(SECOND_DSN) as conn:
        assert conn.info.server_version // 10000 != 18


def test_each_test_has_an_empty_database_of_its_own(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE mine AS SELECT 1 AS id")
    found = conn.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert found == [("mine",)]


def test_the_next_test_does_not_see_it(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE mine AS SELECT 1 AS id")
