"""What the hash of a chain row is taken of."""

from __future__ import annotations

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import pytest

from lockgate.ledger.fields import GENESIS, Fields

ROW = Fields(1, "2026-01-31T12:00:00.000000Z", 7, "event", "p", "f", "s", {"b": 1.0, "a": "é"}, GENESIS)


def test_the_text_is_pinned() -> None:
    text = (
        '{"at":"2026-01-31T12:00:00.000000Z","kind":"event","payload":{"a":"é","b":1},"phase":"f","plan":"p",'
        f'"prev":"{GENESIS}","run_id":7,"seq":1,"step":"s"}}'
    )
    assert ROW.digest() == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 2),
        ("at", "2026-01-31T12:00:00.000001Z"),
        ("run_id", None),
        ("kind", "gate"),
        ("plan", "q"),
        ("phase", None),
        ("step", ""),
        ("payload", {"a": "é", "b": 2}),
        ("prev", "1" * 64),
    ],
)
def test_each_field_counts(field: str, value: Any) -> None:
    assert {name.name for name in fields(ROW)} == {
        "seq", "at", "run_id", "kind", "plan", "phase", "step", "payload", "prev"
    }  # fmt: skip
    changed: Fields = replace(ROW, **{field: value})
    assert changed.digest() != ROW.digest()


def test_an_absent_phase_is_not_an_empty_one() -> None:
    assert replace(ROW, phase=None).digest() != replace(ROW, phase="").digest()
