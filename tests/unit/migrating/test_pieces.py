from __future__ import annotations

import pytest

from lockgate.errors import PlanError
from lockgate.history.base import Script
from lockgate.migrating.pieces import pieces
from lockgate.textfile import Source


def cut(text: str) -> list[tuple[bool, list[str]]]:
    found = pieces(Script(Source("9_x.sql", text), text))
    return [(piece.alone, [item.statement.text for item in piece.items]) for piece in found]


def refused(text: str) -> PlanError:
    with pytest.raises(PlanError) as raised:
        cut(text)
    return raised.value


def test_a_file_without_a_transaction_of_its_own_is_one_piece() -> None:
    assert cut("CREATE TABLE a (x int);\nCREATE TABLE b (x int);") == [
        (False, ["CREATE TABLE a (x int)", "CREATE TABLE b (x int)"])
    ]


def test_a_file_of_comments_alone_is_one_empty_piece() -> None:
    assert cut("-- nothing\n") == [(False, [])]


def test_what_must_stand_alone_does() -> None:
    assert cut("SELECT 1; CREATE INDEX CONCURRENTLY i ON a (x); CREATE INDEX CONCURRENTLY j ON a (x); SELECT 2;") == [
        (False, ["SELECT 1"]),
        (True, ["CREATE INDEX CONCURRENTLY i ON a (x)"]),
        (True, ["CREATE INDEX CONCURRENTLY j ON a (x)"]),
        (False, ["SELECT 2"]),
    ]


def test_its_own_transactions_are_pieces() -> None:
    assert cut("SELECT 0; BEGIN; SELECT 1; SELECT 2; COMMIT; START TRANSACTION; SELECT 3; END;") == [
        (False, ["SELECT 0"]),
        (False, ["SELECT 1", "SELECT 2"]),
        (False, ["SELECT 3"]),
    ]


def test_one_transaction_around_all_is_one_piece() -> None:
    assert cut("BEGIN;\nSELECT 1;\nSAVEPOINT s;\nROLLBACK TO s;\nCOMMIT;") == [
        (False, ["SELECT 1", "SAVEPOINT s", "ROLLBACK TO s"])
    ]


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("SELECT 1;\n  BEGIN; SELECT 2;", "9_x.sql:2:3", "COMMIT is missing"),
        ("BEGIN; SELECT 1;\nBEGIN;", "9_x.sql:2:1", "open already"),
        ("SELECT 1;\nCOMMIT;", "9_x.sql:2:1", "would end the transaction"),
        ("BEGIN; SELECT 1;\n ROLLBACK;", "9_x.sql:2:2", "takes back"),
        ("BEGIN;\nCREATE INDEX CONCURRENTLY i ON a (x); COMMIT;", "9_x.sql:2:1", "forbids it in a transaction"),
        ("CREATE INDEX CONCURRENTLY ON a (x);", "9_x.sql:1:1", "no name"),
        ("SELECT 1;\nSELEKT 2;", "9_x.sql:2:1", "syntax error"),
        ("\\connect shop", "9_x.sql:1:1", "syntax error"),
    ],
)
def test_what_could_not_be_done_exactly_once_is_refused_at_its_place(text: str, where: str, why: str) -> None:
    error = refused(text)
    assert error.where == where
    assert why in (error.why or "")


def test_a_place_in_a_part_of_a_file_is_that_of_the_file() -> None:
    whole = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELEKT 2;\n"
    start = whole.index("-- migrate:down")
    with pytest.raises(PlanError) as raised:
        pieces(Script(Source("9_x.sql", whole), whole[start:], start))
    assert raised.value.where == "9_x.sql:4:1"


def test_comments_between_statements_do_not_count_for_what_is_done() -> None:
    one = pieces(Script(Source("a", "SELECT 1; -- so\n SELECT 2"), "SELECT 1; -- so\n SELECT 2"))
    two = pieces(Script(Source("a", "SELECT 1;SELECT 2"), "SELECT 1;SELECT 2"))
    assert [p.digest for p in one] != [p.digest for p in pieces(Script(Source("a", "SELECT 3"), "SELECT 3"))]
    assert len(one) == len(two) == 1
