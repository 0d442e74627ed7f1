"""Values on their way into the ledger."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from ipaddress import ip_network
from pathlib import PurePosixPath
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.range import Range

from lockgate.errors import LedgerError
from lockgate.ledger import canonical


class Colour(Enum):
    RED = 3


class Word(StrEnum):
    GO = "go"


@dataclass(frozen=True)
class Point:
    x: int
    y: Decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (2**53 - 1, "9007199254740991"),
        (2**53, '"9007199254740992"'),
        (-(2**53), '"-9007199254740992"'),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (math.nan, '"NaN"'),
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (Decimal("1.00"), '"1.00"'),
        (Decimal("1E+3"), '"1000"'),
        (Decimal("0.0000001"), '"0.0000001"'),
        (Decimal("NaN"), '"NaN"'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), '"2026-01-31T12:00:00.000000Z"'),
        (
            datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=3))),
            '"2026-01-30T22:00:00.000000Z"',
        ),
        (datetime(2026, 1, 31, 12, 0, 0, 5), '"2026-01-31T12:00:00.000005"'),
        (date(2026, 1, 31), '"2026-01-31"'),
        (time(1, 2, 3), '"01:02:03"'),
        (timedelta(minutes=1, microseconds=500), "60.0005"),
        (b"\x00\xff", '"\\\\x00ff"'),
        (memoryview(b"\x01"), '"\\\\x01"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (PurePosixPath("a/b"), '"a/b"'),
        (ip_network("10.0.0.0/8"), '"10.0.0.0/8"'),
        (Range(1, 5), '"[1, 5)"'),
        (Colour.RED, "3"),
        (Word.GO, '"go"'),
        (Point(1, Decimal("2.50")), '{"x":1,"y":"2.50"}'),
        ({"b": [1, (2,)], "a": {}}, '{"a":{},"b":[1,[2]]}'),
        ("a\0b\ud800c", '"a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"'),
    ],
)
def test_one_text_for_each_value(value: object, text: str) -> None:
    assert canonical.encode(canonical.plain(value)).decode() == text


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, {2}]}, "payload.a[1]"),
        ({"a": {1: 2}}, "payload.a"),
        ({"a": object()}, "payload.a"),
        ({"k\0": 1, "k\N{REPLACEMENT CHARACTER}": 2}, "payload"),
        ({"a": Point}, "payload.a"),
    ],
)
def test_a_value_without_a_text_is_refused_with_its_place(value: object, where: str) -> None:
    with pytest.raises(LedgerError) as caught:
        canonical.plain(value)
    assert caught.value.where == where


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_what_was_made_plain_survives_as_it_is(value: dict[str, object]) -> None:
    try:
        plain = canonical.plain(value)
    except LedgerError:
        return  # keys that only differ in what cannot be stored
    assert canonical.plain(plain) == plain
    assert canonical.encode(canonical.loads(canonical.dumps(plain))) == canonical.encode(plain)


@pytest.mark.parametrize("number", ["1e400", "0.1000000000000000055511151231257827", "1e-400", "9007199254740993"])
def test_a_number_that_nobody_here_writes_is_an_error(number: str) -> None:
    assert json.loads(number) is not None
    with pytest.raises(ValueError, match="is not a number of the ledger"):
        canonical.loads(number)
