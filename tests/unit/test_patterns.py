"""Names of tables in which a star stands for anything."""

from __future__ import annotations

import pytest

from lockgate.patterns import fits, split_pattern


@pytest.mark.parametrize(
    ("pattern", "schema", "name", "expected"),
    [
        ("core.entity_*", "core", "entity_emails", True),
        ("core.entity_*", "core", "entity_", True),
        ("core.entity_*", "core", "entities", False),
        ("core.entity_*", "coreX", "entity_emails", False),
        ("CORE.Entity_*", "core", "entity_emails", True),
        ("core.*_old", "core", "a_old_new", False),
        ("*.*", 'Odd "one"', "Größe *", True),
        ('"Odd ""one""".*', 'Odd "one"', "Größe *", True),
        ('core."a*"', "core", "a*", True),
        ('core."a*"', "core", "ab", False),
        ("core.a_b", "core", "axb", False),
        ("core.a*", "core", "a\nb", True),
    ],
)
def test_what_fits(pattern: str, schema: str, name: str, expected: bool) -> None:
    assert fits(pattern, schema, name) is expected


@pytest.mark.parametrize(
    "pattern", ["", "core", "core.", ".a", "core.a.b", "core.a b", 'core."a', "core.1*", "core.a?"]
)
def test_what_is_no_pattern(pattern: str) -> None:
    assert split_pattern(pattern) is None
    assert not fits(pattern, "core", "a")
