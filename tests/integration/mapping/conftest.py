"""A database with a ledger, in which a test drives mappings by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.mapping.harness import Bench


@pytest.fixture
def bench(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An empty database of the test's own with schemas ``old`` and ``new`` and the ledger."""
    with ExitStack() as stack:
        yield Bench(dsn, stack, monkeypatch)
