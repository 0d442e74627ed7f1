"""CPF numbers: eleven digits, the last two of which check the first nine.

Three ranges of the first nine digits never meet: the generator's people (below 900,000,000), those that a load
makes (from 900,000,000), and those that are born in the new model (from 990,000,000).
"""

from __future__ import annotations

FIRST_OF_LOAD = 900_000_000
FIRST_BORN = 990_000_000
LOAD_PREFIX = "9"
"""CPFs of the load and of the born begin with it, and no others do."""


def with_check_digits(base: int) -> str:
    """The CPF whose first nine digits are ``base``."""
    digits = [int(digit) for digit in f"{base:09d}"]
    for length in (9, 10):
        total = sum(digit * weight for digit, weight in zip(digits, range(length + 1, 1, -1), strict=True))
        digits.append(total * 10 % 11 % 10)
    return "".join(map(str, digits))


def is_valid(cpf: str) -> bool:
    """Whether these are eleven digits whose last two are right."""
    return len(cpf) == 11 and cpf.isascii() and cpf.isdigit() and with_check_digits(int(cpf[:9])) == cpf


def of_load(number: int) -> str:
    """The CPF of a load's person number ``number``, from 0."""
    if not 0 <= number < FIRST_BORN - FIRST_OF_LOAD:
        raise ValueError(f"a load has no person number {number}")
    return with_check_digits(FIRST_OF_LOAD + number)


def born(number: int, seed: int) -> str:
    """The CPF of the born party number ``number``, from 0; another seed gives others."""
    return with_check_digits(FIRST_BORN + (seed * 1_000 + number) % 10_000_000)


def is_of_load(cpf: str) -> bool:
    """Whether a load made the person."""
    return FIRST_OF_LOAD <= int(cpf[:9]) < FIRST_BORN


def is_born(cpf: str) -> bool:
    """Whether the person is one of those born in the new model."""
    return int(cpf[:9]) >= FIRST_BORN
