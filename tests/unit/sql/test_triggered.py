"""NEW and OLD of a trigger's SQL, written as expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.sql.tree import parse, quote
from lockgate.sql.triggered import returns_rows, rows_named, with_rows

ROWS = {"new": "N", "old": "O"}
_NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('INSERT INTO t (new) VALUES (NEW.a, new.b, "new".c)', "INSERT INTO t (new) VALUES ((N).a, (N).b, (N).c)"),
        ("SELECT f(NEW, OLD.*, 'NEW.a') -- OLD.b", "SELECT f((N), (O).*, 'NEW.a') -- OLD.b"),
        ("UPDATE t SET old = NEW.a WHERE t.old = OLD.a", "UPDATE t SET old = (N).a WHERE t.old = (O).a"),
        ('DELETE FROM t WHERE "NEW".a = \'é\' || OLD."É"', 'DELETE FROM t WHERE "NEW".a = \'é\' || (O)."É"'),
        ("WITH x AS (SELECT OLD.a) SELECT a FROM x", "WITH x AS (SELECT (O).a) SELECT a FROM x"),
    ],
)
def test_only_what_stands_for_the_row_is_written_anew(text: str, expected: str) -> None:
    assert with_rows(text, ROWS) == expected


def test_the_first_place_of_each_is_told() -> None:
    assert rows_named("SELECT 'é', OLD.a, NEW.b, OLD.c") == {"old": 12, "new": 19}
    assert rows_named("SELECT news.a, 'OLD' FROM news") == {}


def test_what_returns_rows_is_known() -> None:
    assert returns_rows("DELETE FROM t RETURNING a")
    assert not returns_rows("WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x")
    assert not returns_rows("INSERT INTO t SELECT 1")


@given(_NAMES, _NAMES, st.sampled_from(["new", "NEW", '"old"', "Old"]))
def test_whatever_the_columns_are_called(text: str, column: str, row: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    statement = f"/* NEW */ INSERT INTO t VALUES ({literal}, {row}.{quote(column)})"
    found = with_rows(statement, ROWS)
    expected = "N" if row.lower() == "new" else "O"
    assert found == f"/* NEW */ INSERT INTO t VALUES ({literal}, ({expected}).{quote(column)})"
    assert len(parse(found)) == 1
