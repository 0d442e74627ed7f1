from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lockgate.checks.expectation import same


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1),
        (Decimal("1.0"), 1),
        (Decimal("1.5"), 1.5),
        (Decimal("0.1"), 0.1),
        (True, True),
        (None, None),
        ("a", "a"),
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (5, "5"),
    ],
)
def test_same(value: Any, wanted: Any) -> None:
    assert same(value, wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(1, 2), (None, 0), (0, None), (1, True), (True, 1), ("a", "A"), ("1", 1), (Decimal("1.5"), 1.4), ("", None)],
)
def test_different(value: Any, wanted: Any) -> None:
    assert not same(value, wanted)
