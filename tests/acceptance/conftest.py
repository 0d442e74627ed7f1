"""A shop of its own for each test that asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.shop import Shop, copy_plan, fill
from tests.databases import Templates


@pytest.fixture
def template(request: pytest.FixtureRequest, server_dsn: str, templates: Templates, template: str) -> str:
    """The database of a test that asks for ``shop`` begins with the shop's old model."""
    return templates.of(server_dsn, fill) if "shop" in request.fixturenames else template


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Shop:
    """The old model of a small shop, and the plan that moves it."""
    return Shop(dsn, copy_plan(tmp_path))
