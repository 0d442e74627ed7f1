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
from tests.databases import Templates

from . import by_hand

Connection = psycopg.Connection[Any]


def _legacy(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, MINIMUM_SCALE)


def _both_models(dsn: str) -> None:
    _legacy(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        by_hand.migrate(conn)


@pytest.fixture
def template(request: pytest.FixtureRequest, server_dsn: str, templates: Templates, template: str) -> str:
    """The models that a test asks for are generated once and copied."""
    if "both_models" in request.fixturenames:
        return templates.of(server_dsn, _both_models)
    return templates.of(server_dsn, _legacy) if "legacy" in request.fixturenames else template


@pytest.fixture
def legacy(conn: Connection) -> Connection:
    """The smallest legacy database."""
    return conn


@pytest.fixture
def both_models(legacy: Connection) -> Connection:
    """The same, with the new model filled by hand beside it."""
    return legacy


@pytest.fixture
def service_dsn(legacy: Connection, dsn: str) -> Iterator[str]:
    """The service's address of the database, as a role of its own."""
    name = f"party_service_{secrets.token_hex(4)}"
    create_service_role(legacy, "test", name)
    grant_to_service(legacy, name)
    yield make_conninfo(dsn, user=name, password="test")
    legacy.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))
