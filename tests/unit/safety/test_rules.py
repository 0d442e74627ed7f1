"""Each rule finds what it must, and nothing else."""

from __future__ import annotations

import pytest

from lockgate.safety.registry import FAMILIES, RULES
from tests.unit.safety.cases import CLEAN, FOUND, Case
from tests.unit.safety.support import findings, of_case

TOLD_BY_LINT = {"LG001", "LG002", "LG003"}


@pytest.mark.parametrize("case", FOUND, ids=str)
def test_a_rule_finds_its_hazard(case: Case) -> None:
    found = of_case(case)
    assert found, f"{case.code} says nothing"
    severity = case.severity or RULES[case.code].severity
    assert found[0].severity == severity
    assert found[0].where.startswith("text.sql:1:")


@pytest.mark.parametrize("case", CLEAN, ids=str)
def test_a_rule_leaves_the_harmless_alone(case: Case) -> None:
    assert [finding.what for finding in of_case(case)] == []


def test_each_rule_has_both_kinds_of_case() -> None:
    wanted = set(RULES) - TOLD_BY_LINT
    assert {case.code for case in FOUND} == wanted
    assert {case.code for case in CLEAN} == wanted


def test_codes_and_names_are_unique_and_of_their_family() -> None:
    rules = [rule for family in FAMILIES.values() for rule in family]
    assert len({rule.code for rule in rules}) == len({rule.name for rule in rules}) == len(rules)
    for number, family in enumerate(FAMILIES.values()):
        assert all(rule.code.startswith("LG") for rule in family), number
        assert [rule.code for rule in family] == sorted(rule.code for rule in family)


def test_what_was_not_looked_at_is_said() -> None:
    (found,) = findings("CREATE INDEX ON t (a)", codes=frozenset({"LG101"}))
    assert found.tier == "text"
    assert found.not_looked == tuple(RULES["LG101"].looks.values()) != ()


SECRET = "geheim"


@pytest.mark.parametrize(
    "text",
    [
        f"CREATE INDEX ON t (a) WHERE c = '{SECRET}'",
        f"ALTER TABLE t ADD COLUMN x text DEFAULT g('{SECRET}')",
        f"ALTER TABLE t ADD COLUMN x text CHECK (x <> '{SECRET}')",
        f"ALTER TABLE t ADD CONSTRAINT ch CHECK (c <> '{SECRET}' AND a <> ALL (ARRAY['{SECRET}']))",
        f"ALTER DOMAIN d ADD CHECK (VALUE <> '{SECRET}')",
        f"CREATE TABLE q PARTITION OF m FOR VALUES IN ('{SECRET}')",
        f"ALTER TABLE t ADD COLUMN x text GENERATED ALWAYS AS (c || '{SECRET}') STORED",
        f"BEGIN; ALTER TYPE mood ADD VALUE '{SECRET}'; INSERT INTO feels VALUES (1, '{SECRET}'); COMMIT",
        f"UPDATE t SET c = '{SECRET}'",
        f"DO $$BEGIN EXECUTE '{SECRET}'; END$$",
    ],
)
def test_no_value_is_in_a_finding(text: str) -> None:
    found = findings(text)
    assert found
    assert SECRET not in "".join(f"{finding}" for finding in found)
    assert "$1" in "".join(finding.rewrite for finding in found) or "WHERE" not in text


def test_a_place_is_that_of_the_part() -> None:
    (found,) = findings("SELECT 'é';\nALTER TABLE t\n  ADD COLUMN ü serial", codes=frozenset({"LG202"}))
    assert found.where == "text.sql:3:14"
