from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.safety.catalogue import HAZARDS, WITHOUT_TEXT, render, rules_of
from lockgate.safety.finding import Tier

FILE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_page_is_what_the_rules_say() -> None:
    assert FILE.read_text("utf-8") == render(), "run: python scripts/write_rules_docs.py"


@pytest.mark.parametrize("number", HAZARDS)
def test_each_hazard_has_a_rule_of_the_text_or_a_reason(number: int) -> None:
    by_text = [rule for rule in rules_of(number) if Tier.TEXT in rule.tiers]
    assert bool(by_text) != (number in WITHOUT_TEXT)


def test_the_catalogue_is_whole() -> None:
    assert list(HAZARDS) == list(range(1, 81))


def test_only_these_hazards_have_nothing_but_a_reason() -> None:
    assert [number for number in HAZARDS if not rules_of(number)] == [8, 51, 59]
