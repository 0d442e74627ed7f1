"""A ledger in the test's database, and more connections to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest

TTL = timedelta(minutes=5)  # no test is that slow
PATIENCE = "SET lock_timeout = '20s'"  # so that a test that ought not to wait fails instead of hanging
Connect = Callable[[], psycopg.Connection[Any]]


@pytest.fixture
def ledger(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The superuser's connection, with the ledger installed."""
    conn.execute(PATIENCE)
    return conn


@pytest.fixture
def connect(dsn: str) -> Iterator[Connect]:
    """Opens further connections; those that are still open at the end are closed."""
    with ExitStack() as stack:

        def opened() -> psycopg.Connection[Any]:
            conn = stack.enter_context(psycopg.connect(dsn, autocommit=True, prepare_threshold=None))
            conn.execute(PATIENCE)
            return conn

        yield opened
