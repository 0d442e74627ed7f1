"""A second database to copy from, on the other server where there are two: each version copies from the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lockgate.embedded import EmbeddedServer
from tests.conftest import SECOND_DSN
from tests.copies import another_database

VARIABLE = "LOCKGATE_COPY_TEST_URL"


@pytest.fixture
def old(dsn: str, server_dsn: str, embedded_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The superuser's address of an empty database, which the plan's variable holds."""
    other = SECOND_DSN if SECOND_DSN and server_dsn != SECOND_DSN else embedded_server.dsn()
    with another_database(other) as address:
        monkeypatch.setenv(VARIABLE, address)
        yield address
