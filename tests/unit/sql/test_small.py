"""The smaller parts: splitting, the winner's words, equalities, places and renames."""

from __future__ import annotations

import pytest

from lockgate.sql import places
from lockgate.sql.equalities import equalities, has_functions
from lockgate.sql.renames import renamed_columns
from lockgate.sql.select import Select
from lockgate.sql.split import split
from lockgate.sql.tree import SqlSyntaxError
from lockgate.sql.winner import read_winner


def test_statements_are_split_by_the_grammar() -> None:
    text = (
        "-- first\nCREATE TABLE a (b text DEFAULT ';');\n\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2 $$;\n"
        "/* é */ SELECT ';'; CREATE INDEX CONCURRENTLY ON a (b)"
    )
    found = split(text)
    assert [(s.kind, s.line) for s in found] == [
        ("CreateStmt", 2),
        ("CreateFunctionStmt", 4),
        ("SelectStmt", 5),
        ("IndexStmt", 5),
    ]
    assert found[2].text.endswith("SELECT ';'")
    assert [s.in_transaction for s in found] == [True, True, True, False]


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing\n", ";;"])
def test_nothing_is_no_statement(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("VACUUM a", True),
        ("ANALYZE a", False),
        ("REINDEX TABLE a", False),
        ("REINDEX TABLE CONCURRENTLY a", True),
        ("REINDEX SCHEMA a", True),
        ("DROP INDEX CONCURRENTLY a", True),
        ("DROP INDEX a", False),
        ("CREATE DATABASE a", True),
        ("ALTER SYSTEM SET work_mem = '1MB'", True),
        ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", True),
        ("ALTER TABLE a DETACH PARTITION b", False),
        ("CLUSTER", True),
        ("CLUSTER a", False),
    ],
)
def test_what_postgresql_forbids_in_a_transaction_is_known(text: str, alone: bool) -> None:
    assert split(text)[0].in_transaction is not alone


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("s.a", ("s.a", "")),
        ("s.a DESC", ("s.a", " DESC")),
        ("lower( s.a ) ASC NULLS FIRST", ("lower(s.a)", " ASC NULLS FIRST")),
        ("s.a = 'x' NULLS LAST", ("s.a = 'x'", " NULLS LAST")),
    ],
)
def test_a_word_of_the_winner_is_an_expression_and_a_direction(text: str, read: tuple[str, str]) -> None:
    assert read_winner(text) == read


@pytest.mark.parametrize("text", ["s.a USING >", "s.a, s.b", "s.a DESC DESC", ""])
def test_a_word_of_the_winner_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SqlSyntaxError):
        read_winner(text)


def test_equalities_of_on_and_where_are_found() -> None:
    select = Select(
        "SELECT a.x FROM s.a a JOIN s.b b ON b.id = a.b AND b.k = lower(a.k || a.l) JOIN s.c c ON (c.id, c.k) = (1, 2) "
        "WHERE a.id = 5 AND (a.y = 1 OR a.z = 2) AND b.n < 3"
    )
    found = {(e.alias, e.column, tuple(sorted(e.needs))) for e in equalities(select)}
    assert {("b", "id", ("a",)), ("a", "b", ("b",)), ("b", "k", ("a",)), ("a", "id", ())} <= found
    assert not {("a", "y", ()), ("a", "z", ()), ("b", "n", ())} & found


@pytest.mark.parametrize(
    "condition",
    [
        "a.x IN (1, 2)",
        "a.x IN (b.y)",
        "a.x = ANY (b.y)",
        "a.x = ALL (b.y)",
        "a.x = ANY ('{1,2}')",
        "a.x IS DISTINCT FROM b.y",
        "a.x IS NOT DISTINCT FROM b.y",
        "NULLIF(a.x, b.y)",
    ],
)
def test_what_only_carries_the_name_of_equality_is_none(condition: str) -> None:
    assert not equalities(Select(f"SELECT a.x FROM s.a a JOIN s.b b ON {condition}"))


def test_functions_and_subqueries_in_from_are_seen() -> None:
    assert has_functions(Select("SELECT a.x FROM s.a a, LATERAL generate_series(1, a.n) AS g"))
    assert has_functions(Select("SELECT a.x FROM s.a a JOIN (SELECT id FROM s.b) b ON true"))
    assert not has_functions(Select("SELECT lower(a.x) FROM s.a a JOIN s.b b ON true"))


def test_calls_operators_and_casts_are_placed() -> None:
    text = "SELECT a.x || 'é' AS y, pg_catalog.f(a.x), F(a.z)::text FROM s.a a WHERE a.q"
    tree = Select(text).tree
    assert text.encode()[places.of_call(tree, {"f"}) :].startswith(b"pg_catalog.f")
    assert text.encode()[places.of_operator(tree, {"||"}) :].startswith(b"||")
    assert text.encode()[places.of_cast(tree) :].startswith(b"::text")
    assert places.of_call(tree, {"g"}) == -1
    twice = Select("SELECT a.x || a.y || a.z AS s, a.x::text, a.y::text FROM s.a a").tree
    assert (places.of_operator(twice, {"||"}), places.of_cast(twice)) == (-1, -1), "which of them is not known"


def test_renamed_columns_are_found() -> None:
    found = renamed_columns(
        'ALTER TABLE s.a RENAME COLUMN b TO c; ALTER TABLE "X" RENAME d TO e; ALTER TABLE s.a RENAME TO z; '
        "ALTER TABLE s.a RENAME CONSTRAINT f TO g; ALTER INDEX i RENAME TO j; ALTER TABLE s.a ADD k int"
    )
    assert [(r.schema, r.relation, r.column) for r in found] == [("s", "a", "b"), ("", "X", "d")]
