"""Which format is evident."""

from __future__ import annotations

from lockgate.discover.formats import FORMATS, Format, evident, suggested

BY_NAME = {each.name: each for each in FORMATS}


def named(column: str) -> list[str]:
    return [each.name for each in suggested(column) if each.names is not None]


def counts(**given: int) -> dict[Format, int]:
    return {BY_NAME[name.replace("_", "-")]: count for name, count in given.items()}


def test_names_suggest_formats() -> None:
    assert named("zip_code") == ["cep", "cep-dash", "zip"]
    assert named("billing_state") == ["uf", "us-state"]
    assert named("contact_email") == ["email"]
    assert named("phone_type") == []
    assert named("name") == []
    assert [each.name for each in suggested("name")] == ["uuid", "any-date", "any-time"]


def test_the_strictest_format_that_most_values_have_is_evident() -> None:
    assert evident(counts(cep=90, cep_dash=10, zip=0), 100) == BY_NAME["cep"]
    assert evident(counts(cep=10, cep_dash=85, zip=0), 100) == BY_NAME["cep-dash"]
    assert evident(counts(e164=40, phone_digits=40, phone=99), 100) == BY_NAME["phone"]


def test_of_rivals_the_one_that_more_values_have_is_evident() -> None:
    assert evident(counts(uf=72, us_state=97), 100) == BY_NAME["us-state"]
    assert evident(counts(uf=97, us_state=72), 100) == BY_NAME["uf"]


def test_words_of_a_state_have_no_format() -> None:
    assert evident(counts(uf=3, us_state=5, uuid=0), 100) is None


def test_a_check_says_what_the_format_says() -> None:
    assert BY_NAME["cep"].check("zip_code") == "zip_code ~ '^([0-9]{8})$'"
    assert BY_NAME["us-state"].check("state").startswith("state IN ('AL', 'AK'")
