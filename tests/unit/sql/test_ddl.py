"""Names as one would write them."""

from __future__ import annotations

import pytest

from lockgate.sql import ddl, parser, tree


def plain(name: str) -> bool:
    try:
        tree.parse(f"CREATE TABLE {name} ({name} integer)")
    except tree.SqlSyntaxError:
        return False
    return True


def test_each_word_of_the_grammar_is_quoted_where_it_must_be() -> None:
    """What is no word of the grammar is not asked for, so each word must be known as one."""
    words = {name.lower().removesuffix("_p") for name in parser.words() if name != "ASCII_36"}
    names = sorted(word for word in words if word.isidentifier())
    assert [name for name in names if ddl.ident(name) != (name if plain(name) else tree.quote(name))] == []
    assert len([name for name in names if not plain(name)]) > 90


@pytest.mark.parametrize("name", ["orders", "user_id", "t1", "current_dates", "_"])
def test_other_small_names_stand_as_they_are(name: str) -> None:
    assert not tree.may_be_word(name)
    assert ddl.ident(name) == name


@pytest.mark.parametrize("name", ["Orders", 'a"b', "größe", "1st", "select", "current_date", "user", "a b"])
def test_other_names_are_quoted(name: str) -> None:
    assert ddl.ident(name) == tree.quote(name)
