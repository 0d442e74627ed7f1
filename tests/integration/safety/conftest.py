from __future__ import annotations

import psycopg
import pytest

from tests.databases import Templates
from tests.unit.safety.cases import SCHEMA


def filled(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SCHEMA.encode())


@pytest.fixture
def template(templates: Templates, server_dsn: str) -> str:
    """A database with the tables that the cases are about, each with rows."""
    return templates.of(server_dsn, filled)
