"""Telephone numbers: the library's word for every number that can be read in one way, a reason for all others."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from random import Random
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import PlanError, UsageError
from lockgate.normalising.base import Unfit
from lockgate.normalising.phones import E164

BRAZIL = E164("BR")
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SHOWN = (
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
)


def library(value: str, region: str) -> str | None:
    """What phonenumbers makes of a valid number without an extension."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def generated(chance: Random, region: str) -> str:
    """A number of a region, or nearly one, written in one of many ways."""

    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    def written(text: str) -> str:
        pieces = [c + (chance.choice([" ", "-", ".", ") ", " (", "/"]) if chance.random() < 0.2 else "") for c in text]
        return "".join(pieces)

    code = str(phonenumbers.country_code_for_region(region))
    kind = chance.choice([phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE])
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    assert example is not None
    national = phonenumbers.national_significant_number(example)
    kept = chance.randint(2, len(national))
    national = national[:kept] + digits(len(national) - kept)
    ways: list[Callable[[], str]] = [
        lambda: written(national),
        lambda: f"+{code}{written(national)}",
        lambda: code + written(national),
        lambda: "0" + written(national),
        lambda: written(digits(chance.randint(3, 15))),
        lambda: "+" + written(digits(chance.randint(5, 15))),
        lambda: f"00{code}{written(national)}",
        lambda: phonenumbers.format_number(example, chance.choice(SHOWN)),
    ]
    return chance.choice(ways)()


@pytest.mark.parametrize(("count", "regions"), [(3_000, 20), pytest.param(100_000, 245, marks=pytest.mark.soak)])
def test_generated_numbers_are_what_the_library_says(count: int, regions: int) -> None:
    chance = Random(20_261_130)
    some = chance.sample(REGIONS, min(regions, len(REGIONS)))
    known = {region: E164(region) for region in ("BR", *some, "US", "GB", "IT", "AR", "MX", "CX", "KZ", "JE")}
    fit = held = 0
    for number in range(count):
        region = "BR" if number % 3 == 0 else chance.choice(list(known))
        value = generated(chance, region)
        found, said = known[region](value), library(value, region)
        if isinstance(found, Unfit):
            held += 1
            # What the library takes may still be one of several numbers; all else that it takes is taken.
            assert said is None or found in {Unfit.AMBIGUOUS, Unfit.SEVERAL}, (region, value, found, said)
        else:
            fit += 1
            assert found == said, (region, value)
            assert known[region](found) == found
    assert min(fit, held) > count / 10


@given(st.text(alphabet="0123456789 ()+-./,;x\tr\uff11\uff0b", max_size=24))
def test_any_text_is_what_the_library_says(value: str) -> None:
    found, said = BRAZIL(value), library(value, "BR")
    if isinstance(found, Unfit):
        assert said is None or found in {Unfit.AMBIGUOUS, Unfit.SEVERAL, Unfit.LETTERS}
    else:
        assert found == said
        assert BRAZIL(found) == found


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(value: str) -> None:
    found = BRAZIL(value)
    assert isinstance(found, Unfit) or BRAZIL(found) == found


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("11 91234-5678", "+5511912345678"),
        ("(11) 2345.6789", "+551123456789"),
        ("5511912345678", "+5511912345678"),
        ("+55 (11) 91234-5678", "+5511912345678"),
        ("0 11 91234-5678", "+5511912345678"),
        ("0 15 11 91234-5678", "+5511912345678"),  # by way of a carrier
        ("\uff0b55\uff11\uff11912345678", "+5511912345678"),
        ("+1 650 253 0000", "+16502530000"),
        ("35 99123-4567", "+5535991234567"),  # with the plus that nobody wrote it might be Bulgarian
        ("91234-5678", Unfit.NO_AREA_CODE),
        ("3456-7890", Unfit.NO_AREA_CODE),
        ("11 91234-5678 / 11 3333-4444", Unfit.SEVERAL),
        ("+5511912345678 +5511912345679", Unfit.SEVERAL),
        ("11 3333-4444 ramal 12", Unfit.LETTERS),
        ("11 3333-4444 ext. 12", Unfit.EXTENSION),
        ("0800 FLOWERS", Unfit.LETTERS),
        ("nenhum", Unfit.LETTERS),
        ("", Unfit.EMPTY),
        ("  ", Unfit.EMPTY),
        ("12345", Unfit.TOO_SHORT),
        ("+55 11", Unfit.TOO_SHORT),
        ("11 91234 5678 99999", Unfit.TOO_LONG),
        ("10 91234-5678", Unfit.INVALID),  # there is no such area
        ("+0 91234-5678", Unfit.INVALID),
        ("---", Unfit.INVALID),
    ],
)
def test_each_way_to_write_one_has_its_answer(value: str, made: str | Unfit) -> None:
    assert BRAZIL(value) == made


def test_a_number_that_can_be_read_in_two_ways_is_ambiguous() -> None:
    """Germany's national numbers may begin as its country's code does."""
    chance, germany = Random(1), E164("DE")
    for _ in range(20_000):
        value = "49" + "".join(chance.choice("0123456789") for _ in range(chance.randint(7, 9)))
        if library(value, "DE") == f"+49{value}" and library(f"+{value}", "DE"):
            assert germany(value) is Unfit.AMBIGUOUS
            return
    pytest.fail("no such number was found")


def test_an_unknown_region_is_said() -> None:
    with pytest.raises(PlanError, match="no region XX"):
        E164("XX")


def test_without_the_library_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "phonenumbers":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError) as refused:
        E164("BR")
    assert refused.value.hint == "pip install 'lockgate[phones]'"
