"""Parsing and writing back: nothing may change its meaning on the way."""

from __future__ import annotations

import pytest

from lockgate.errors import PlanError
from lockgate.sql import tree
from lockgate.sql.tree import SqlSyntaxError


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a.b, 'it''s', E'\\\\', 1.50::numeric(4, 2) FROM s.t a WHERE NOT a.c AND a.d <> ALL ('{1}'::int[])",
        'SELECT "Ü"."sélect" FROM "S"."T ""x""" "Ü"',
        "SELECT x FROM s.t LEFT JOIN (s.u JOIN s.v ON true) ON t.a = u.a",
        'SELECT (t.c).d, t.e[1:2], ROW(t.*), CASE WHEN a THEN 1 END, coalesce(a, b), a::text COLLATE "C" FROM s.t t',
        "SELECT a AT TIME ZONE 'UTC', extract(year FROM b), b - interval '1 day', a IS NOT DISTINCT FROM b FROM s.t",
        "SELECT   a IN (1,2), b NOT IN ('x','y'), c = ANY (ARRAY[1,2]) FROM s.t WHERE  d  IN (SELECT 1)",
    ],
)
def test_what_is_written_back_parses_to_the_same_tree(text: str) -> None:
    statement = tree.parse_one(text)
    again = tree.parse_one(tree.deparse(statement))
    assert tree.strip_locations(again.stmt) == tree.strip_locations(statement.stmt)


def test_an_expression_that_would_lose_its_parentheses_is_refused() -> None:
    """The writer has a fault there; the text would mean something else."""
    statement = tree.parse_one("SELECT (a IS DISTINCT FROM b) IS NULL FROM s.t")
    with pytest.raises(PlanError, match="cannot be rewritten exactly") as error:
        tree.deparse(statement)
    assert error.value.hint is not None


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("SELECT a FROM FROM b", 14),
        ("SELECT 'é ключ', FROM FROM b", 17),
        ("SELECT (", 8),
        ("", 0),
        ("SELECT 1; SELECT 2", 0),
    ],
)
def test_a_syntax_error_says_where_in_characters(text: str, offset: int) -> None:
    with pytest.raises(SqlSyntaxError) as error:
        tree.parse_one(text)
    assert error.value.offset == offset


@pytest.mark.parametrize("text", ["1 + 1", "a.b IS NULL -- why", "(SELECT 1)", "CASE WHEN true THEN 'x' END"])
def test_an_expression_is_read(text: str) -> None:
    assert tree.kind(tree.expression(text)) != ""


@pytest.mark.parametrize(
    "text", ["", "1, 2", "1 FROM t", "1) FROM (t", "1 AS b WHERE true", "1; DELETE FROM t", "*", "1 LIMIT 2"]
)
def test_what_is_more_or_less_than_one_expression_is_refused(text: str) -> None:
    with pytest.raises(SqlSyntaxError):
        tree.expression(text)


def test_the_place_of_an_error_in_an_expression_is_in_its_own_text() -> None:
    with pytest.raises(SqlSyntaxError) as error:
        tree.expression("a.b = = 1")
    assert error.value.offset == 6


@pytest.mark.parametrize("text", ["a", "a DESC", "lower(a) NULLS FIRST", "a USING <"])
def test_an_order_is_read(text: str) -> None:
    assert tree.kind(tree.sort_items(text)) == "SortBy"


@pytest.mark.parametrize("text", ["a, b", "", "a LIMIT 1", "a DESC FOR UPDATE", "a; SELECT 1"])
def test_more_or_less_than_one_order_is_refused(text: str) -> None:
    with pytest.raises(SqlSyntaxError):
        tree.sort_items(text)


def test_offsets_in_bytes_become_offsets_in_characters() -> None:
    assert tree.character_offset("é€x", 5) == 2
    assert tree.character_offset("abc", 2) == 2


@pytest.mark.parametrize("name", ["a", "A b", 'q"q', "ü", "select", "a.b", "%s"])
def test_names_and_literals_read_back_as_they_were(name: str) -> None:
    select = tree.parse_one(f"SELECT {tree.literal(name)} AS {tree.quote(name)}").stmt.select_stmt
    output = select.target_list[0].res_target
    assert (output.name, output.val.a_const.sval.sval) == (name, name)


def test_a_literal_with_a_backslash_means_it_whatever_the_settings() -> None:
    select = tree.parse_one("SELECT" + tree.literal("a\\'b")).stmt.select_stmt
    assert select.target_list[0].res_target.val.a_const.sval.sval == "a\\'b"


def test_the_place_of_a_part_is_its_first_word() -> None:
    statement = tree.parse_one("SELECT a.b + c.d FROM s.t a")
    output = statement.stmt.select_stmt.target_list[0].res_target.val
    assert tree.location(output) == 7
    assert tree.location(tree.parse_one("SELECT").stmt) == -1
