"""Who is at which keys."""

from __future__ import annotations

import pytest

from lockgate.engine import underway
from lockgate.engine.underway import Underway


def test_what_others_hold_is_told_and_not_taken() -> None:
    keys = Underway()
    with keys.releasing("a"), keys.releasing("b"), keys.releasing("c"):
        assert keys.take("a", [1, 2, 3]) == []
        assert keys.take("b", [3, 4, 3]) == [3]
        assert keys.take("c", [4, 3, 2, 9]) == [2, 3, 4]


def test_it_is_free_when_the_chunk_has_ended_however_it_did() -> None:
    keys = Underway()

    def fail() -> None:
        with keys.releasing("a"):
            keys.take("a", [1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert keys.take("b", [1]) == []


def test_what_was_left_to_another_is_not_held() -> None:
    keys = Underway()
    with keys.releasing("b"):
        with keys.releasing("a"):
            keys.take("a", [1])
            keys.take("b", [1, 2])
        assert keys.take("c", [1, 2]) == [2], "b has left 1 out, and whoever comes now may have it"


def test_a_very_large_chunk_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys would take too much memory; it still learns what others are at."""
    monkeypatch.setattr(underway, "_MOST", 2)
    keys = Underway()
    with keys.releasing("a"), keys.releasing("b"):
        keys.take("a", [1])
        assert keys.take("b", [1, 2, 3]) == [1]
        assert keys.take("c", [2, 3]) == []
