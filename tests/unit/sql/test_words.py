"""The words of code that no grammar understands as a whole."""

from __future__ import annotations

import pytest

from lockgate.sql.words import words


@pytest.mark.parametrize(
    "code",
    [
        "SELECT * FROM core.Phones",
        'SELECT * FROM core."phones"',
        "BEGIN EXECUTE 'DELETE FROM core.PHONES'; END",
        "BEGIN EXECUTE format($x$ DELETE FROM phones $x$); END",
        "BEGIN x := 'it''s -- no comment'; PERFORM FROM phones; END",
        "é phones 'not ended",
    ],
)
def test_a_name_is_found(code: str) -> None:
    assert words(code).tell_of("phones")


@pytest.mark.parametrize(
    "code",
    [
        "SELECT 1 -- FROM phones",
        "SELECT /* FROM /* nested */ phones */ 1",
        "SELECT 1 /* it's FROM phones */",
        "SELECT 1 -- it's FROM phones",
        "BEGIN EXECUTE 'SELECT * FROM old_phones'; END",
        "SELECT * FROM phones_2",
        "SELECT * FROM old_phones",
        'SELECT * FROM "Phones"',
        "BEGIN EXECUTE 'SELECT 1 FROM phones$1'; END",
    ],
)
def test_a_name_that_is_not_there_is_not_found(code: str) -> None:
    assert not words(code).tell_of("phones")


@pytest.mark.parametrize("name", ['t"a\'b"', "Straße", "My Table", "a b;--"])
def test_odd_names_are_found_in_code_and_in_its_texts(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    assert words(f"SELECT FROM {quoted}").tell_of(name)
    literal = "'SELECT FROM " + quoted.replace("'", "''") + "'"
    assert words(f"BEGIN EXECUTE {literal}; END").tell_of(name)


@pytest.mark.parametrize(
    ("code", "built"),
    [
        ("BEGIN EXECUTE q; END", True),
        ("BEGIN RETURN QUERY execute format('x'); END", True),
        ("BEGIN -- EXECUTE q\nEND", False),
        ("CREATE TRIGGER a AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION c()", False),
    ],
)
def test_sql_that_is_built_is_noticed(code: str, built: bool) -> None:
    assert words(code).executes is built
