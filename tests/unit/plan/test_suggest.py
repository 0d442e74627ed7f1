"""The nearest known name."""

from __future__ import annotations

import pytest

from lockgate.suggest import did_you_mean, distance, nearest

KEYS = ("map", "into", "key", "from", "select", "winner", "rejected", "on_insert")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("selct", "select"),
        ("slect", "select"),
        ("selects", "select"),
        ("sleect", "select"),
        ("Select", "select"),
        ("form", "from"),
        ("on-insert", "on_insert"),
        ("winers", "winner"),
        ("mpa", "map"),
    ],
)
def test_a_slip_is_recognised(written: str, meant: str) -> None:
    assert nearest(written, KEYS) == meant


@pytest.mark.parametrize("written", ["colour", "x", "", "interval", "selection_of_rows"])
def test_what_is_not_near_gets_no_suggestion(written: str) -> None:
    assert nearest(written, KEYS) is None


def test_short_names_are_not_all_near_to_each_other() -> None:
    assert nearest("a", ["b", "c"]) is None
    assert nearest("di", ["id"]) == "id"
    assert nearest("ID", ["id"]) == "id"


def test_the_nearest_wins_and_of_equals_the_first() -> None:
    assert nearest("party", ["parts", "party_", "party"]) == "party"
    assert nearest("cat", ["bat", "hat"]) == "bat"


def test_a_swap_is_one_slip() -> None:
    assert distance("ab", "ba") == 1
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == 3


def test_sentence() -> None:
    assert did_you_mean("selct", KEYS) == "; did you mean `select`?"
    assert did_you_mean("colour", KEYS) == ""
