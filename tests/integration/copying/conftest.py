"""A second database to copy from, on the other server where there are two: each version copies from the other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from lockgate.embedded import EmbeddedServer
from tests.conftest import SECOND_DSN, _in_database

VARIABLE = "LOCKGATE_COPY_TEST_URL"


@pytest.fixture
def old(dsn: str, server_dsn: str, embedded_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The superuser's address of an empty database, which the plan's variable holds."""
    other = SECOND_DSN if SECOND_DSN and server_dsn != SECOND_DSN else embedded_server.dsn()
    name = f"lockgate_test_{secrets.token_hex(6)}"
    with psycopg.connect(other, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        address = _in_database(other, name)
        monkeypatch.setenv(VARIABLE, address)
        try:
            yield address
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
