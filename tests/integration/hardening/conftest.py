from __future__ import annotations

from typing import Any

import psycopg
import pytest

from systems.hardening.counts import MINIMUM_SCALE
from systems.hardening.generate import generate
from tests.databases import Templates


def _found(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, MINIMUM_SCALE)


@pytest.fixture
def template(request: pytest.FixtureRequest, server_dsn: str, templates: Templates, template: str) -> str:
    """The database of a test that asks for ``found`` is as it was found."""
    return templates.of(server_dsn, _found) if "found" in request.fixturenames else template


@pytest.fixture
def found(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The smallest database, before the hardening."""
    return conn
