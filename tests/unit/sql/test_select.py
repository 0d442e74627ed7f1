"""The SELECT of a mapping: what it reads, and what is written from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from lockgate.errors import MappingRefused
from lockgate.sql import tree
from lockgate.sql.select import Select


def same(text: str, wanted: str) -> bool:
    """Whether two SELECTs are one, whatever their spaces."""
    left, right = (tree.strip_locations(tree.parse_one(each).stmt) for each in (text, wanted))
    return bool(left == right)


def reads(text: str) -> list[tuple[str, str, bool, bool]]:
    """Relation, alias, whether it may drive, whether the row as a whole is used; in reading order."""
    return [(f"{o.schema}.{o.name}", o.alias, o.driving, o.whole_row) for o in Select(text).occurrences]


def test_relations_are_found_wherever_they_stand() -> None:
    text = (
        "WITH w AS (SELECT c.id FROM s.c c) "
        "SELECT a.id FROM s.a a JOIN w ON w.id = a.id LEFT JOIN s.b b ON b.id = a.id "
        "JOIN (SELECT d.id FROM s.d) q ON q.id = a.id, s.a other "
        "WHERE EXISTS (SELECT FROM s.e e WHERE e.id = a.id AND NOT EXISTS (SELECT FROM s.f f WHERE f.id = e.id))"
    )
    assert reads(text) == [
        ("s.a", "a", True, False),
        ("s.c", "c", False, False),
        ("s.b", "b", False, False),
        ("s.d", "d", False, False),
        ("s.a", "other", True, False),
        ("s.e", "e", False, False),
        ("s.f", "f", False, False),
    ]


@pytest.mark.parametrize(
    ("outputs", "whole"),
    [("a.x", False), ("a.*", True), ("*", True), ("f(a)", True), ("a.x, b.a", False), ("(a).x", True)],
)
def test_use_of_a_whole_row_is_seen(outputs: str, whole: bool) -> None:
    assert Select(f"SELECT {outputs} FROM s.a a JOIN s.b b ON true").occurrences[0].whole_row is whole


def test_a_star_in_exists_is_no_use_of_a_whole_row() -> None:
    assert [o.whole_row for o in Select("SELECT a.x FROM s.a a WHERE EXISTS (SELECT * FROM s.b b)").occurrences] == [
        False,
        False,
    ]


def test_outputs_relations_and_conditions_are_added() -> None:
    select = Select("SELECT a.x FROM s.a a JOIN s.a b ON b.id = a.p WHERE a.y OR b.y")
    text = select.render(extra=[("a.z + 1", "n")], replace={1: "(SELECT id, y FROM t)"}, where=["a.q", "b.q"])
    wanted = (
        "SELECT a.x, a.z + 1 AS n FROM s.a a JOIN (SELECT id, y FROM t) AS b ON b.id = a.p "
        "WHERE (a.y OR b.y) AND a.q AND b.q"
    )
    assert same(text, wanted)
    assert same(select.render(), "SELECT a.x FROM s.a a JOIN s.a b ON b.id = a.p WHERE a.y OR b.y"), "it is not changed"


def test_with_queries_are_written_into_from() -> None:
    text = (
        "WITH one AS (SELECT id FROM s.a), two (k) AS (SELECT one.id FROM one), one_more AS (SELECT k FROM two) "
        "SELECT x.k FROM one_more x JOIN two ON two.k = x.k JOIN s.one o ON true"
    )
    wanted = (
        "SELECT x.k FROM (SELECT k FROM (SELECT one.id FROM (SELECT id FROM s.a) one) two (k)) x "
        "JOIN (SELECT one.id FROM (SELECT id FROM s.a) one) two (k) ON two.k = x.k JOIN s.one o ON true"
    )
    assert same(Select(text).render(), wanted)


def test_outputs_that_are_plain_columns_are_known() -> None:
    select = Select("SELECT a.id, a.x AS y, a.z AS z, b.q, lower(a.w) AS w, v FROM s.a a JOIN s.b b ON true")
    assert select.plain_outputs == {"id": ("a", "id"), "y": ("a", "x"), "z": ("a", "z"), "q": ("b", "q")}


@pytest.mark.parametrize(
    ("text", "on", "words"),
    [
        ("SELECT DISTINCT ON (a.k) a.k, a.v FROM s.a a ORDER BY a.k, a.v DESC, a.w", [{"k"}], ["a.v DESC", "a.w"]),
        ("SELECT DISTINCT ON (1, a.l) a.k, a.l FROM s.a a ORDER BY a.l, 1, 2, a.v", [{"k"}, {"l"}], ["a.v"]),
        ("SELECT DISTINCT ON (m) lower(a.m) AS m FROM s.a a", [{"m"}], []),
        ("SELECT DISTINCT ON (a.k) a.v FROM s.a a", [set()], []),
    ],
)
def test_distinct_on_says_its_outputs_and_its_order(text: str, on: Sequence[set[str]], words: list[str]) -> None:
    select = Select(text)
    assert select.distinct is not None
    assert [set(names) for names in select.distinct.on] == list(on)
    assert list(select.distinct.words) == words
    assert "DISTINCT" not in select.render()
    assert "ORDER BY" not in select.render()


def test_plain_distinct_says_nothing() -> None:
    select = Select("SELECT DISTINCT a.k FROM s.a a")
    assert select.distinct is None
    assert same(select.render(), "SELECT a.k FROM s.a a")


def terms(
    text: str, relation: str, key: Sequence[str], *others: str, kinds: Mapping[tuple[str, str], str] | None = None
) -> list[str]:
    """The queries for a change of one relation, those of ``others`` read as they are and as they were."""
    select = Select(text)
    index = {o.name: o.index for o in select.occurrences}
    united = {index[name]: f"united_{name}" for name in others}
    return select.candidate_terms(index[relation], "images", united, key, kinds=kinds or {})


KINDS = {("a", "b"): "int", ("b", "id"): "int", ("b", "c"): "int", ("c", "id"): "int", ("c", "t"): "text"}


@pytest.mark.parametrize(
    ("outputs", "joins", "asked"),
    [
        ("b.id", "JOIN s.b b ON b.id = a.b", "a.b AS id"),
        ("b.id AS k", "JOIN s.b b ON a.b = b.id", "a.b AS k"),
        ("lower(b.id::text) AS k", "CROSS JOIN s.b b WHERE a.b = b.id", "lower(a.b::text) AS k"),
        ("c.id", "JOIN s.b b ON b.id = a.b JOIN s.c c ON c.id = b.id", "a.b AS id"),
    ],
    ids=["join", "other side", "expression and where", "by way of another"],
)
def test_a_row_that_holds_what_is_equal_to_the_key_is_asked_alone(outputs: str, joins: str, asked: str) -> None:
    name = asked.rsplit(" ", 1)[1]
    (term,) = terms(f"SELECT {outputs} FROM s.a a {joins}", "a", [name], "b", kinds=KINDS)
    assert same(term, f"SELECT {asked} FROM images AS a")


@pytest.mark.parametrize(
    "joins",
    [
        "JOIN s.c c ON c.t = a.b",
        "JOIN s.c c ON c.id > a.b",
        "JOIN s.c c ON c.id = a.b + 1",
        "JOIN s.c c ON c.id = a.b OR a.b = 1",
        "JOIN s.c c ON true LEFT JOIN s.b b ON b.id = a.b AND b.c = c.id",
    ],
    ids=["another type", "not equal", "an expression", "or", "only where an outer join finds something"],
)
def test_what_is_not_always_equal_does_not_stand_in_for_the_key(joins: str) -> None:
    for term in terms(f"SELECT {'c.t' if 'c.t' in joins else 'c.id'} AS k FROM s.a a {joins}", "a", ["k"], kinds=KINDS):
        assert "s.c" in term


def test_a_row_that_holds_the_key_is_asked_alone() -> None:
    """Neither joins nor EXISTS can add a key to it; conditions of its own may be asked at once."""
    text = (
        "SELECT a.k, b.v FROM s.a a JOIN s.b b ON b.id = a.b LEFT JOIN s.c c ON c.id = a.c "
        "WHERE a.x AND b.x AND EXISTS (SELECT FROM s.d d)"
    )
    (term,) = terms(text, "a", ["k"], "b")
    assert same(term, "SELECT a.k FROM images AS a WHERE a.x")


def test_the_other_relations_are_read_as_they_are_and_as_they_were() -> None:
    text = "SELECT a.k, b.l FROM s.a a JOIN s.b b ON b.id = a.b WHERE a.x"
    (term,) = terms(text, "b", ["k", "l"], "a")
    assert same(term, "SELECT a.k, b.l FROM united_a AS a JOIN images AS b ON b.id = a.b WHERE a.x")


def test_the_relation_in_not_exists_is_asked_positively() -> None:
    text = "SELECT a.k FROM s.a a WHERE NOT EXISTS (SELECT FROM s.b b WHERE b.id = a.b) AND EXISTS (SELECT FROM s.c c)"
    (term,) = terms(text, "b", ["k"])
    assert same(term, "SELECT a.k FROM s.a a WHERE EXISTS (SELECT FROM images AS b WHERE b.id = a.b)")


def test_a_left_join_is_asked_with_and_without_partner() -> None:
    text = "SELECT a.k, b.l FROM s.a a LEFT JOIN s.b b ON b.id = a.b"
    found = terms(text, "b", ["k", "l"])
    wanted = [
        "SELECT a.k, b.l FROM s.a a JOIN images AS b ON b.id = a.b",
        "SELECT a.k, b.l FROM s.a a LEFT JOIN images AS b ON false "
        "WHERE EXISTS (SELECT FROM images AS b WHERE b.id = a.b)",
    ]
    assert len(found) == 2
    assert all(any(same(term, each) for term in found) for each in wanted)


@pytest.mark.parametrize("text", ["DELETE FROM s.a", "VALUES (1)", "SELECT 1", "TABLE s.a ORDER BY x"])
def test_what_is_no_select_over_tables_is_refused(text: str) -> None:
    with pytest.raises(MappingRefused):
        Select(text)
