"""What the database of an integration test begins with."""

from __future__ import annotations

import pytest

# Their tests run parts of a plan, which needs a ledger. That one is made where there is none is tested elsewhere.
WITH_LEDGER = {"checks", "engine", "gates", "mapping", "standing", "steps", "usage"}


@pytest.fixture
def template(request: pytest.FixtureRequest, template: str) -> str:
    """A database with a ledger for the folders above, and for each test that asks for ``ledger``."""
    wanted = request.path.parent.name in WITH_LEDGER or "ledger" in request.fixturenames
    return str(request.getfixturevalue("ledger_template")) if wanted else template
