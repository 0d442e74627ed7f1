"""Brazil's own: CEP, UF, CPF and CNPJ, each without punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from lockgate.normalising.base import Unfit

_PUNCTUATION = str.maketrans("", "", " .-/\t\n\r\u00a0")
_DIGITS = re.compile(r"[0-9]+")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_LOWEST_CEP = "01000000"
_NAMES = {
    "AC": "acre",
    "AL": "alagoas",
    "AM": "amazonas",
    "AP": "amapa",
    "BA": "bahia",
    "CE": "ceara",
    "DF": "distrito federal",
    "ES": "espirito santo",
    "GO": "goias",
    "MA": "maranhao",
    "MG": "minas gerais",
    "MS": "mato grosso do sul",
    "MT": "mato grosso",
    "PA": "para",
    "PB": "paraiba",
    "PE": "pernambuco",
    "PI": "piaui",
    "PR": "parana",
    "RJ": "rio de janeiro",
    "RN": "rio grande do norte",
    "RO": "rondonia",
    "RR": "roraima",
    "RS": "rio grande do sul",
    "SC": "santa catarina",
    "SE": "sergipe",
    "SP": "sao paulo",
    "TO": "tocantins",
}
_STATES = {name: code for code, name in _NAMES.items()} | {code.lower(): code for code in _NAMES}


def cep(value: str) -> str | Unfit:
    """The eight digits of a postal code. A lost leading zero is not put back: that would be a guess."""
    digits = _digits(value, 8)
    return Unfit.INVALID if isinstance(digits, str) and digits < _LOWEST_CEP else digits


def uf(value: str) -> str | Unfit:
    """The two letters of a state, from them or from its whole name, with accents or without."""
    text = " ".join(value.split())
    if not text:
        return Unfit.EMPTY
    plain = unicodedata.normalize("NFD", text.lower())
    found = _STATES.get("".join(c for c in plain if not unicodedata.combining(c)))
    return found or Unfit.UNKNOWN


def cpf(value: str) -> str | Unfit:
    """The eleven digits of a person's number, if its check digits are right."""
    digits = _digits(value, 11)
    if isinstance(digits, Unfit):
        return digits
    if digits == digits[0] * 11:
        return Unfit.INVALID  # its check digits are right, and it is given to nobody
    numbers = [int(digit) for digit in digits]
    first = _check_digit(numbers[:9], range(10, 1, -1))
    second = _check_digit(numbers[:10], range(11, 1, -1))
    return digits if numbers[9:] == [first, second] else Unfit.CHECK_DIGITS


def cnpj(value: str) -> str | Unfit:
    """The fourteen characters of a company's number, if its check digits are right.

    Since July 2026 the first twelve may be letters, too; they count as their code less that of ``0``.
    """
    text = value.translate(_PUNCTUATION).upper()
    if not text:
        return Unfit.EMPTY
    if not text.isascii() or not text.isalnum():
        return Unfit.INVALID
    if len(text) != 14:
        return Unfit.TOO_SHORT if len(text) < 14 else Unfit.TOO_LONG
    if not _CNPJ.fullmatch(text):
        return Unfit.LETTERS
    if text == text[0] * 14:
        return Unfit.INVALID
    numbers = [ord(character) - ord("0") for character in text]
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    first, second = _check_digit(numbers[:12], weights[1:]), _check_digit(numbers[:13], weights)
    return text if numbers[12:] == [first, second] else Unfit.CHECK_DIGITS


def _digits(value: str, count: int) -> str | Unfit:
    text = value.translate(_PUNCTUATION)
    if not text:
        return Unfit.EMPTY
    if not _DIGITS.fullmatch(text):
        return Unfit.LETTERS if any(character.isalpha() for character in text) else Unfit.INVALID
    if len(text) != count:
        return Unfit.TOO_SHORT if len(text) < count else Unfit.TOO_LONG
    return text


def _check_digit(numbers: Sequence[int], weights: Sequence[int]) -> int:
    rest = sum(number * weight for number, weight in zip(numbers, weights, strict=True)) % 11
    return 0 if rest < 2 else 11 - rest
