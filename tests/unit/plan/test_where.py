"""Where a value stands: the line and column of anything in a plan, down to a character of its SQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.plan.document import MapNode, ScalarNode, parse_document
from lockgate.plan.load import LoadedPlan
from lockgate.plan.offsets import index_in_file
from tests.unit.plan.support import load

PLAN = """\
plan: p
# a comment
phases:
  - id: setup
    steps:
      - sql: sql/one.sql
      - sql: |  # the second
          SELECT 1
            FROM core.parties

          WHERE nme = 'x'
        id: second
      - {analyze: [core.a, core.b], title: "both"}
      - sql: >-
          SELECT 1
          FROM nowhere
      - sql: 'SELECT ''it''
              FROM nowhere'
      - sql: "SELECT \\"a\\" \\
              FROM nowhere"
      - sql: &text   # an anchor
          SELECT a
          FROM nowhere
      - map: m
        into: core.t
        key: [id]
        from: core.s
        select: *text
"""
STEPS = ("phases", 0, "steps")


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedPlan:
    return load(tmp_path, PLAN, {"sql/one.sql": "SELECT 1;\nSELECT nothing;\n"})


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "1:1"),
        (("plan",), "1:7"),
        (("phases",), "4:3"),
        (("phases", 0), "4:5"),
        (("phases", 0, "id"), "4:9"),
        ((*STEPS, 1, "sql"), "7:14"),
        ((*STEPS, 1, "id"), "12:13"),
        ((*STEPS, 2), "13:9"),
        ((*STEPS, 2, "analyze", 1), "13:28"),
        ((*STEPS, 7, "from"), "27:15"),
        ((*STEPS, 7, "from_"), "27:15"),
    ],
)
def test_a_value(loaded: LoadedPlan, path: tuple[str | int, ...], place: str) -> None:
    assert loaded.where(*path) == f"plan.yaml:{place}"


@pytest.mark.parametrize(
    ("path", "place"),
    [(("settings", "workers"), "1:1"), ((*STEPS, 1, "title"), "7:9"), ((*STEPS, 99), "6:7"), (("plan", "x"), "1:7")],
)
def test_what_the_file_does_not_hold_is_where_it_would_be(
    loaded: LoadedPlan, path: tuple[str | int, ...], place: str
) -> None:
    assert loaded.where(*path) == f"plan.yaml:{place}"


@pytest.mark.parametrize(
    ("step", "word", "place"),
    [
        (1, "SELECT", "8:11"),
        (1, "core", "9:18"),
        (1, "nme", "11:17"),
        (3, "SELECT", "15:11"),
        (3, "nowhere", "16:16"),
        (4, "SELECT", "17:15"),
        (4, "it", "17:24"),
        (4, "nowhere", "18:20"),
        (5, "a", "19:24"),
        (5, "nowhere", "20:20"),
        (6, "SELECT", "22:11"),
        (6, "nowhere", "23:16"),
    ],
)
def test_a_character_of_inline_sql(loaded: LoadedPlan, step: int, word: str, place: str) -> None:
    sql = getattr(loaded.plan.phases[0].steps[step], "sql")  # noqa: B009
    assert loaded.where(*STEPS, step, "sql", offset=sql.index(word)) == f"plan.yaml:{place}"


def test_the_end_of_inline_sql_is_the_end_of_its_last_word(loaded: LoadedPlan) -> None:
    sql = getattr(loaded.plan.phases[0].steps[1], "sql")  # noqa: B009
    assert loaded.where(*STEPS, 1, "sql", offset=len(sql)) == "plan.yaml:11:26"


@pytest.mark.parametrize(
    ("escape", "character"),
    [
        ("\\u00e9", "é"),
        ("\\x41", "A"),
        ("\\U0001F6A2", "🚢"),
        ('\\"', '"'),
        ("\\x20", " "),
        ("\\u00a0", "\u00a0"),
        ("\\t", "\t"),
    ],
)
def test_what_follows_an_escape(tmp_path: Path, escape: str, character: str) -> None:
    plan = f'plan: p\nphases: [{{id: a, steps: [{{sql: "a{escape}b c"}}]}}]'
    loaded = load(tmp_path, plan)
    sql = getattr(loaded.plan.phases[0].steps[0], "sql")  # noqa: B009
    assert sql == f"a{character}b c"
    column = plan.split("\n")[1].index("b c") + 1
    for offset in (2, 4):
        assert loaded.where(*STEPS, 0, "sql", offset=offset) == f"plan.yaml:2:{column + offset - 2}"


def test_an_alias_is_used_here_and_written_there(loaded: LoadedPlan) -> None:
    assert loaded.where(*STEPS, 7, "select") == "plan.yaml:28:17"
    assert loaded.where(*STEPS, 7, "select", offset=len("SELECT a ")) == "plan.yaml:23:11"


def test_sql_in_a_file(loaded: LoadedPlan) -> None:
    assert loaded.where(*STEPS, 0, "sql") == "sql/one.sql:1:1"
    assert loaded.where(*STEPS, 0, "sql", offset=len("SELECT 1;\nSELECT ")) == "sql/one.sql:2:8"


WORDS = st.text("abc'\"\\:#-é🚢 \n", min_size=1, max_size=40)


def _block(text: str, header: str) -> str:
    return f"{header}\n" + "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=WORDS, style=st.sampled_from(["|", ">", "'", '"']))
def test_every_character_is_found_in_every_style(text: str, style: str) -> None:
    if style in "|>":
        written = _block("x" + text, style)  # a leading space would need an indentation indicator
    elif style == "'":
        written = "'" + text.replace("'", "''").replace("\n", "\n\n  ") + "'"
    else:
        written = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n\\\n  ") + '"'
    file = f"# first\nvalue: {written}\nafter: x\n"
    root = parse_document("plan.yaml", file).root
    assert isinstance(root, MapNode)
    node = root.values["value"]
    assert isinstance(node, ScalarNode)
    indexes = []
    for offset, character in enumerate(node.text):
        index = index_in_file(file, node, offset)
        if not character.isspace():
            found = file[index + 1] if style == '"' and file[index] == "\\" else file[index]
            assert found == character
            indexes.append(index)
    assert indexes == sorted(set(indexes))
