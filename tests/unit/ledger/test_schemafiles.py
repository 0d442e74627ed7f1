"""The numbered files that make the ledger's schema."""

from __future__ import annotations

from hashlib import sha256

import pytest

from lockgate.ledger import schemafiles


def test_files_come_by_number_with_their_hash() -> None:
    made = schemafiles.ordered([("010_map.sql", "b"), ("002_a.sql", "a"), ("README.md", "x"), ("2_a.sql", "y")])
    assert [(file.number, file.name, file.text) for file in made] == [(2, "a", "a"), (10, "map", "b")]
    assert made[0].sha256 == sha256(b"a").hexdigest()


def test_two_files_of_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="number 2: a, b"):
        schemafiles.ordered([("002_a.sql", ""), ("002_b.sql", "")])


def test_the_ledger_itself_is_the_first() -> None:
    first = schemafiles.shipped()[0]
    assert (first.number, first.name) == (1, "ledger")
    assert [file.number for file in schemafiles.shipped()] == sorted({f.number for f in schemafiles.shipped()})
