from __future__ import annotations

import pytest

from lockgate.engine.masking import mask


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM t WHERE a = 'secret' AND b = 42", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("SELECT 'it''s', E'a\\'b', $1, 1.5e-3", "SELECT ?, ?, $1, ?-?"),
        ("UPDATE t1 SET x2 = $$a 'b' c$$", "UPDATE t1 SET x2 = ?"),
        ("SELECT $q$ secret $q$", "SELECT ?"),
        ('SELECT "na\'me", "t1"."c 2" FROM t', 'SELECT "na\'me", "t1"."c 2" FROM t'),
        ("SELECT 1 -- the secret is 'x'\n FROM t /* 12 */", "SELECT ? FROM t"),
        ("INSERT INTO t VALUES ('cut off here", "INSERT INTO t VALUES (?"),
        ("SELECT $x$ cut off", "SELECT ?"),
        ("a\n\t b", "a b"),
    ],
)
def test_shows_no_value(query: str, shown: str) -> None:
    assert mask(query) == shown


def test_is_not_endless() -> None:
    shown = mask("SELECT " + "a, " * 1000)
    assert len(shown) == 160
    assert shown.endswith("…")
