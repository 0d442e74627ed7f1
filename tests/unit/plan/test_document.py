"""YAML 1.2: what a scalar means, and what is no plan."""

from __future__ import annotations

import pytest

from lockgate.plan.document import parse_document
from lockgate.plan.problems import InvalidPlanError
from lockgate.plan.scalars import describe
from lockgate.textfile import Problem, Source


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("True", True),
        ("TRUE", True),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("1e3", 1000.0),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("30d", "30d"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("'null'", "null"),
        ("٣", "٣"),
    ],
)
def test_scalars(written: str, value: object) -> None:
    found = parse_document("plan.yaml", f"value: {written}\n").data()["value"]
    assert found == value
    assert type(found) is type(value)


def test_a_document_may_say_its_version() -> None:
    assert parse_document("plan.yaml", "%YAML 1.2\n---\na: no\n").data() == {"a": "no"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        (5, "the whole number 5"),
        (1.5, "the number 1.5"),
        ("a\n b", 'the text "a b"'),
        ("x" * 40, f'the text "{"x" * 40}"'),
        ("x" * 41, f'the text "{"x" * 37}..."'),
        ((), "a list"),
        ({}, "a mapping"),
    ],
)
def test_a_value_in_words(value: object, words: str) -> None:
    assert describe(value) == words


def test_block_text_keeps_hashes_and_dashes() -> None:
    text = "a: |\n  SELECT a # b\n  # no comment\n  -- a comment of SQL\n# a comment of YAML\nb: 1\n"
    assert parse_document("plan.yaml", text).data() == {
        "a": "SELECT a # b\n# no comment\n-- a comment of SQL\n",
        "b": 1,
    }


def test_all_problems_of_yaml_are_found_at_once() -> None:
    document = parse_document("plan.yaml", "a: 1\na: 2\nb: *x\nc: !!int 3\n? [d]\n: 4\n5: e\n<<: {f: 6}\n")
    assert [str(problem) for problem in document.problems] == [
        "plan.yaml:2:1: the key `a` is here twice; the first is in line 1",
        "plan.yaml:3:4: there is no anchor `&x` above this alias",
        "plan.yaml:4:4: tags (`!...`) are not read; write the value without",
        "plan.yaml:5:3: a key must be text, not a list or a mapping",
        "plan.yaml:7:1: a key must be text; put `5` in quotes",
        "plan.yaml:8:1: `<<` is no part of YAML 1.2; write the keys out",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: is empty; a plan starts with `plan: NAME`"),
        ("---\n", "1:1: is empty; a plan starts with `plan: NAME`"),
        ("%YAML 1.1\n---\na: 1", "1:1: says that it is YAML of another version; a plan is YAML 1.2"),
        ("a: 1\n...\nb: 2", "3:1: a second document starts here; a plan is one document"),
        ("a:\n\tb: 1", "2:1: a tab stands where YAML wants spaces; indent with spaces"),
        ("a: x\n\tb: 1", "2:1: a tab stands where YAML wants spaces; indent with spaces"),
        ("a: [1, 2", "1:9: a value, a `,` or a closing bracket is missing here"),
        ("a: {b: 1]", "1:9: a value, a `,` or a closing bracket is missing here"),
        ("a: }", "1:4: a value, a `,` or a closing bracket is missing here"),
        ("a: @b", "1:4: the character @ cannot start a value; put the value in quotes"),
        ("a: %b", "1:4: the character % cannot start a value; put the value in quotes"),
        ("a: - b", "1:4: a `- ` is not expected here; look at the indentation"),
        (
            "a: b: c",
            "1:5: a `:` is not expected here; look at the indentation, or put a text that holds `: ` in quotes",
        ),
        ("a: 'b\n", "1:4: the quoted text that starts here is not closed"),
        ("a: 'b\n---\n", "1:4: the quoted text that starts here is not closed"),
        ('a: "\\q"', "1:6: this `\\` is not followed by an escape that YAML knows"),
        ("a: 'b' c", "1:8: this does not fit what stands before it; look at the indentation and the quotes"),
        ("a: |x\n b", "1:5: after `|` or `>` only `+`, `-`, a digit from 1 to 9 or a comment may follow"),
        ("a: & b", "1:5: the name of an anchor or alias is missing after `&` or `*`"),
        ("a: !x!y z", "1:4: tags (`!...`) are not read; write the value without"),
        ("a:\n  b: 1\n  c\n  d: 2", "3:3: a key without `:` stands here, or the indentation is wrong"),
        ("a: \x07", "1:4: holds the invisible character U+0007; remove it"),
        ("a: \x85", "1:4: holds the invisible character U+0085; remove it"),
    ],
)
def test_what_is_no_plan(text: str, message: str) -> None:
    with pytest.raises(InvalidPlanError) as refused:
        parse_document("plan.yaml", text)
    assert str(refused.value) == f"plan.yaml:{message}"


def test_problems_found_before_the_text_breaks_off_are_told_too() -> None:
    with pytest.raises(InvalidPlanError) as refused:
        parse_document("plan.yaml", "a: 1\na: 2\nb: 'c\n")
    assert [problem.line for problem in refused.value.problems] == [2, 3]


def test_a_parser_that_trips_is_a_fault_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, **_: object) -> None: ...

        def parse(self, _: str) -> object:
            raise AssertionError("inside of the parser")

    monkeypatch.setattr("lockgate.plan.document.YAML", Broken)
    with pytest.raises(InvalidPlanError, match="cannot be read as YAML"):
        parse_document("plan.yaml", "a: 1")


def test_positions_count_lines_as_editors_do() -> None:
    source = Source("plan.yaml", "ab\n\fc\n")
    assert [source.position(index) for index in (0, 2, 3, 4, 6, 99)] == [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 1)]


def test_one_problem_is_its_own_message_and_several_are_a_list() -> None:
    one = Problem("plan.yaml", 2, 1, "first")
    other = Problem("a.sql", 1, 1, "second")
    assert InvalidPlanError([one]).where == "plan.yaml:2:1"
    assert str(InvalidPlanError([one, one])) == "plan.yaml:2:1: first"
    assert str(InvalidPlanError([other, one])) == ("The plan has 2 problems:\nplan.yaml:2:1: first\na.sql:1:1: second")
