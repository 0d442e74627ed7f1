"""Durations, names, dotted names, expected values."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.plan.models import MapStep, QueryGate, Settings, SqlStep, is_query, split_name
from lockgate.plan.models import format_duration as write
from lockgate.plan.models import parse_duration as read
from lockgate.plan.steps import step_name
from lockgate.plan.values import is_identifier, split_driving


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("0ms", 0),
        ("30s", 30_000),
        ("1.5s", 1500),
        ("15m", 900_000),
        ("24h", 86_400_000),
        ("0.1s", 100),
        ("36500d", 36500 * 86_400_000),
    ],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert read(text) == read(timedelta(milliseconds=milliseconds)) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1 s", "1S", "1w", "1e3s", "1s ", "٣s", 5, None, "1h30m"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be a number and a unit, such as 500ms, 30s or 24h"):
        read(text)


@pytest.mark.parametrize("text", ["0.5ms", "0.0001s", "1.00001m"])
def test_durations_that_are_too_fine(text: str) -> None:
    with pytest.raises(ValueError, match="is finer than a millisecond"):
        read(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "s"])
def test_durations_that_are_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than a hundred years"):
        read(text)


@given(st.integers(0, 10**12))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert read(write(duration)) == duration


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0ms"), (500, "500ms"), (1500, "1500ms"), (90_000, "90s"), (86_400_000, "1d")]
)
def test_a_duration_is_written_in_its_largest_whole_unit(milliseconds: int, text: str) -> None:
    assert write(timedelta(milliseconds=milliseconds)) == text


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("core.parties", ("core", "parties")),
        ("Core.Parties", ("core", "parties")),
        ('core."Parties"', ("core", "Parties")),
        ('"a.b"."c ""d"""', ("a.b", 'c "d"')),
        ("a.b.c", ("a", "b", "c")),
        ("straße.größe", ("straße", "größe")),
        ("parties", ("parties",)),
        ("a$1", ("a$1",)),
    ],
)
def test_dotted_names_are_read_as_postgresql_does(name: str, parts: tuple[str, ...]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a b", '"a', '""', "1a", "a-b", "a.b c", "$a", 'a"b"'])
def test_what_is_no_dotted_name(name: str) -> None:
    assert split_name(name) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("core.people p", ("core", "people", "p")),
        (' Core."People"  "P x" ', ("core", "People", "P x")),
        ("core.people", ("core", "people", None)),
        ("people p", None),
        ("core.people p q", None),
        ("core.people AS", ("core", "people", "as")),
        ("core.people.p", None),
        ("", None),
    ],
)
def test_a_driving_relation_may_have_an_alias(name: str, parts: tuple[str, str, str | None] | None) -> None:
    assert split_driving(name) == parts


@pytest.mark.parametrize(
    "value",
    [
        "SELECT 1",
        "select\n1",
        "  -- why\n/* and */ SELECT 1",
        "WITH a AS (SELECT 1) SELECT 2",
        "with recursive a(b, c) as materialized (select 1) select 2",
        'WITH "A b" AS (SELECT 1) TABLE a',
        "(SELECT 1)",
    ],
)
def test_an_expected_value_that_is_a_query(value: str) -> None:
    assert is_query(value)


@pytest.mark.parametrize("value", ["selected", "with care", "with", "", "x SELECT 1", "-- SELECT", 5, None, True, 1.5])
def test_an_expected_value_that_is_itself(value: object) -> None:
    assert not is_query(value)


@pytest.mark.parametrize(("text", "good"), [("a", True), ("0009_a-b", True), ("-a", False), ("a" * 63, True)])
def test_names(text: str, good: bool) -> None:
    assert is_identifier(text) is good
    assert not is_identifier(text + "é")
    assert not is_identifier("a" * 64)
    assert not is_identifier("a\n")


def test_an_expectation_says_which_it_is() -> None:
    assert QueryGate(query="SELECT 1", equals=None).expectation == "equals"
    assert QueryGate(query="SELECT 1", empty=False).expectation == "empty"
    assert QueryGate(query="SELECT 1", at_most=1, at_least=None).expectation == "at_most"
    with pytest.raises(ValidationError, match="has none"):
        QueryGate(query="SELECT 1")


def test_models_are_made_in_python_too_and_do_not_change() -> None:
    step = MapStep(map="m", into="core.t", key=("id",), from_="core.s", select="SELECT 1")
    assert step_name(step) == "m"
    with pytest.raises(ValidationError, match="frozen"):
        step.map = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="gets its name when its plan is loaded"):
        step_name(SqlStep(sql="SELECT 1"))


def test_no_time_is_empty() -> None:
    for name in ("chunk_time", "max_latency", "log_age_alarm"):
        with pytest.raises(ValidationError, match="must be longer than 0"):
            Settings.model_validate({name: "0ms"})


def test_no_timeout_is_ever_off() -> None:
    for name in ("lock_timeout", "statement_timeout"):
        with pytest.raises(ValidationError, match="no limit at all"):
            Settings.model_validate({name: "0s"})
