"""A shop of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.shop import Shop, make


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Shop:
    """The old model of a small shop, and the plan that moves it."""
    return make(dsn, tmp_path)
