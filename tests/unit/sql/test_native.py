"""What is called directly gives what the package that brings it gives."""

from __future__ import annotations

import postgast
import pytest
from postgast import pg_query_pb2

from lockgate.sql import native, parser

TEXTS = (
    "",
    ";; SELECT 1",
    "SELECT 'größe' AS \"Ümläut\" FROM t -- ende",
    "CREATE TABLE t (id bigint PRIMARY KEY, a text DEFAULT 'ä;' CHECK (a <> '')); UPDATE t SET a = $$;$$ WHERE id = 1;",
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b) NOT VALID",
)
MISTAKES = ("SELECT FROM FROM", "SELECT 'ü' FORM t", "SELECT 'open", "/* open")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_and_written_as_the_package_does(text: str) -> None:
    tree = postgast.parse(text)
    assert parser.parse(text).SerializeToString(deterministic=True) == tree.SerializeToString(deterministic=True)
    assert parser.deparse(parser.parse(text)) == postgast.deparse(tree)
    assert parser.split(text) == postgast.split(text, method="scanner")
    assert parser.scan(text) == [(token.start, token.end) for token in postgast.scan(text).tokens]


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_as_the_package_tells_it(text: str) -> None:
    with pytest.raises(postgast.PgQueryError) as theirs:
        postgast.parse(text)
    with pytest.raises(parser.ParserError) as ours:
        parser.parse(text)
    assert (ours.value.message, ours.value.cursorpos) == (theirs.value.message, theirs.value.cursorpos)


def test_the_words_are_those_of_the_package() -> None:
    assert native.names("Token") == pg_query_pb2.Token.keys()
