from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from systems.party_model.counts import MINIMUM_SCALE
from systems.party_model.generate import generate
from systems.party_model.roles import create_service_role, grant_to_service

from . import by_hand

Connection = psycopg.Connection[Any]


@pytest.fixture
def legacy(conn: Connection) -> Connection:
    """The smallest legacy database."""
    generate(conn, MINIMUM_SCALE)
    return conn


@pytest.fixture
def both_models(legacy: Connection) -> Connection:
    """The same, with the new model filled by hand beside it."""
    by_hand.migrate(legacy)
    return legacy


@pytest.fixture
def service_dsn(legacy: Connection, dsn: str) -> Iterator[str]:
    """The service's address of the database, as a role of its own."""
    name = f"party_service_{secrets.token_hex(4)}"
    create_service_role(legacy, "test", name)
    grant_to_service(legacy, name)
    yield make_conninfo(dsn, user=name, password="test")
    legacy.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))
