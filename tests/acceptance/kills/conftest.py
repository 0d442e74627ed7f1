"""What the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.acceptance.kills.shop import Factory, Shop

KILLS = int(os.environ.get("LOCKGATE_KILLS", "40"))
"""How many kills at random times; the environment asks for more than the suite has time for."""


@pytest.fixture(scope="session")
def factory(server_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """Makes shops on the server under test."""
    with Factory(server_dsn, tmp_path_factory.mktemp("shops")).opened() as made:
        yield made


@pytest.fixture
def shop(factory: Factory) -> Iterator[Shop]:
    """A shop before its migration."""
    with factory.shop() as made:
        yield made
