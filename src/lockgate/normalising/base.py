"""What a normaliser is."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Unfit(Enum):
    """Why a value has no normal form. The texts are stable: they stand in reports and in quarantine."""

    EMPTY = "empty"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    LETTERS = "letters"
    EXTENSION = "extension"
    NO_AREA_CODE = "no area code"
    SEVERAL = "several values"
    AMBIGUOUS = "ambiguous"
    CHECK_DIGITS = "wrong check digits"
    UNKNOWN = "unknown"
    INVALID = "invalid"


class Normaliser(Protocol):
    """One kind of value.

    The normal form of a normal form is itself, so that applying it twice changes nothing.
    """

    def __call__(self, value: str) -> str | Unfit:
        """The normal form of a value, or why it has none; NULL is never asked for."""
