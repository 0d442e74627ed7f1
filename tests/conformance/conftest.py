"""A server that listens on TCP as well: Java's driver knows nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.embedded import EmbeddedServer
from tests.conftest import TEST_SETTINGS


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """In the place of the one that listens on its socket only."""
    with (
        tempfile.TemporaryDirectory(prefix="lockgate-test-") as folder,
        EmbeddedServer(Path(folder), settings=TEST_SETTINGS, loopback=True) as server,
    ):
        yield server
