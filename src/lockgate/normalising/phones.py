"""Telephone numbers in E.164, by the library phonenumbers and its metadata.

Most numbers are written plainly, in digits, blanks and common punctuation. For those the library's own patterns are
asked directly, which is several times faster than its general way; all others, and all that are not valid, go that way.
Both give the same, as a test shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

from lockgate.errors import PlanError, UsageError
from lockgate.normalising.base import Unfit

_PLAIN = re.compile(r"[ (]*(\+?)[ (]*[0-9][0-9 ().-]*")
_NO_DIGIT = str.maketrans("", "", "+ ().-")
_LETTER = re.compile(r"[^\W\d_]")
_APART = re.compile(r"[/;,|&\n]|\s(?=[+\uff0b])")
_REMEMBERED = 50_000
_LONGEST_CODE = 3
_LONGEST_PLAIN = 40
_NOTHING = r"(?!)"
# In the order in which they are most often right; the library asks for the same ones.
_KINDS = (
    "fixed_line",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)

Matches = Callable[[str], Any]


def library() -> ModuleType:
    """:raises UsageError: if phonenumbers is not installed."""
    try:
        import phonenumbers
    except ModuleNotFoundError:
        raise UsageError(
            "Telephone numbers cannot be brought into E.164",
            why="The package phonenumbers is not installed beside Lockgate.",
            hint="pip install 'lockgate[phones]'",
        ) from None
    return phonenumbers


class E164:
    """Brings numbers into E.164.

    :param region: the region of numbers without a country's code, two capital letters.
    :raises PlanError: if the library knows no such region.
    :raises UsageError: if the library is not installed.
    """

    def __init__(self, region: str) -> None:
        self._library = found = library()
        if region not in found.SUPPORTED_REGIONS:
            raise PlanError(f"phonenumbers knows no region {region}", hint="Write it as BR, US or PT.")
        self._region = region
        self._countries: dict[str, _Country | None] = {}
        code = str(found.country_code_for_region(region))
        metadata = found.PhoneMetadata.metadata_for_region(region)
        self._home = _Country.of(found, code, region)
        self._main = self._country(code)
        abroad = metadata.international_prefix
        self._abroad: Matches = re.compile(abroad).match if abroad else lambda _: None
        self._longest = max(metadata.general_desc.possible_length)
        self._slowly = lru_cache(_REMEMBERED)(self._by_library)

    def __call__(self, value: str) -> str | Unfit:
        plain = _PLAIN.fullmatch(value)
        if plain is not None and len(value) <= _LONGEST_PLAIN:
            found = self._directly(value.translate(_NO_DIGIT), abroad=bool(plain[1]))
            if found is not None:
                return found
        return self._slowly(value)

    def _directly(self, digits: str, *, abroad: bool) -> str | None:
        """The number if there is one way to read it; None for all others."""
        home = self._home
        if abroad:
            country = self._country(digits)
            return country.read(digits[len(country.code) :]) if country else None
        if self._abroad(digits):
            return None
        if not digits.startswith(home.code):
            return home.read(digits)
        national = digits[len(home.code) :]
        # As long as this it can be no national number. The library takes prefixes off twice then.
        if len(digits) <= self._longest or home.prefix.match(national):
            return None
        return self._main.read(national) if self._main else None

    def _country(self, digits: str) -> _Country | None:
        for length in range(1, _LONGEST_CODE + 1):
            code = digits[:length]
            if code not in self._countries:
                self._countries[code] = _Country.find(self._library, code)
            found = self._countries[code]
            if found is not None:
                return found
        return None

    # --- what is not plain ----------------------------------------------------------------------------------

    def _by_library(self, value: str) -> str | Unfit:
        if not value.strip() or self._are_several(value):
            return Unfit.SEVERAL if value.strip() else Unfit.EMPTY
        found = self._library
        try:
            number = found.parse(value, self._region)
        except found.NumberParseException as error:
            return Unfit.LETTERS if _LETTER.search(value) else self._unread(error)
        if number.extension:
            return Unfit.EXTENSION
        if _LETTER.search(value):
            return Unfit.LETTERS
        if not found.is_valid_number(number):
            return self._why(number)
        made = str(found.format_number(number, found.PhoneNumberFormat.E164))
        return Unfit.AMBIGUOUS if self._readings(value) - {made} else made

    def _readings(self, value: str) -> set[str]:
        """The valid numbers that the digits are as they stand: a national one, and one with the region's own code."""
        digits = self._library.normalize_digits_only(value)
        if not digits or self._starts_with_plus(value):
            return set()
        home = self._home
        nationals = [digits, *([digits[len(home.code) :]] if digits.startswith(home.code) else [])]
        return {f"+{home.code}{n}" for n in nationals if home.valid(n)}

    def _starts_with_plus(self, value: str) -> bool:
        return value.lstrip(" (\t\u00a0")[:1] in {"+", "\uff0b"}

    def _are_several(self, value: str) -> bool:
        parts = [part for part in _APART.split(value) if part.strip()]
        return len(parts) > 1 and sum(map(self._is_possible, parts)) > 1

    def _is_possible(self, part: str) -> bool:
        try:
            return bool(self._library.is_possible_number(self._library.parse(part, self._region)))
        except self._library.NumberParseException:
            return False

    def _unread(self, error: Any) -> Unfit:
        known = self._library.NumberParseException
        if error.error_type in {known.TOO_SHORT_NSN, known.TOO_SHORT_AFTER_IDD}:
            return Unfit.TOO_SHORT
        return Unfit.TOO_LONG if error.error_type == known.TOO_LONG else Unfit.INVALID

    def _why(self, number: Any) -> Unfit:
        found = self._library
        results = found.ValidationResult
        for kind in (found.PhoneNumberType.FIXED_LINE, found.PhoneNumberType.MOBILE):
            if found.is_possible_number_for_type_with_reason(number, kind) == results.IS_POSSIBLE_LOCAL_ONLY:
                return Unfit.NO_AREA_CODE
        return {
            results.IS_POSSIBLE_LOCAL_ONLY: Unfit.NO_AREA_CODE,
            results.TOO_SHORT: Unfit.TOO_SHORT,
            results.TOO_LONG: Unfit.TOO_LONG,
        }.get(found.is_possible_number_with_reason(number), Unfit.INVALID)


@dataclass(frozen=True, slots=True)
class _Country:
    """What the library knows of the numbers under one country's code.

    :param prefix: what may have to be taken off a national number, and ``rule`` what comes in its place.
    :param general: how national numbers look, and ``lengths`` how many digits they have.
    :param regions: of each region that shares the code: how its numbers begin, if that tells them, and what they are.
    """

    code: str
    prefix: re.Pattern[str]
    rule: str
    general: Matches
    lengths: frozenset[int]
    regions: tuple[tuple[Matches | None, _Region], ...]

    @classmethod
    def find(cls, library: ModuleType, code: str) -> _Country | None:
        """None if there is no country, or no single table of numbers, of this code."""
        region = library.region_code_for_country_code(int(code)) if not code.startswith("0") else ""
        return cls.of(library, code, region) if region in library.SUPPORTED_REGIONS else None

    @classmethod
    def of(cls, library: ModuleType, code: str, region: str) -> _Country:
        own = library.PhoneMetadata.metadata_for_region(region)
        regions = []
        for each in library.region_codes_for_country_code(int(code)):
            metadata = library.PhoneMetadata.metadata_for_region(each)
            begins = metadata.leading_digits
            regions.append((re.compile(begins).match if begins else None, _Region.of(metadata)))
        lengths, general = _pattern(own.general_desc)
        prefix = re.compile(own.national_prefix_for_parsing or _NOTHING)
        return cls(code, prefix, own.national_prefix_transform_rule or "", general, lengths, tuple(regions))

    def read(self, national: str) -> str | None:
        """The number of these digits, of which a prefix is taken off as the library does.

        None if it is not valid, or would be with its prefix as well.
        """
        found = self.prefix.match(national)
        if found is not None:
            last = found.lastindex is not None and found.groups()[-1] is not None
            rest = (found.expand(self.rule) if self.rule and last else "") + national[found.end() :]
            fits = not self.general(national) or bool(self.general(rest))
            # Too long it may be, then it is no number either way.
            if fits and (len(rest) in self.lengths or len(rest) > max(self.lengths)):
                if self.valid(national):
                    return None
                national = rest
        return f"+{self.code}{national}" if self.valid(national) else None

    def valid(self, national: str) -> bool:
        for begins, region in self.regions:
            if begins is None:
                if region.valid(national):
                    return True
            elif begins(national):
                return region.valid(national)
        return False


@dataclass(frozen=True, slots=True)
class _Region:
    """The patterns of one region's numbers, each with the lengths that it is for; none: any."""

    general: tuple[frozenset[int], Matches]
    kinds: tuple[tuple[frozenset[int], Matches], ...]

    @classmethod
    def of(cls, metadata: Any) -> _Region:
        same = metadata.same_mobile_and_fixed_line_pattern
        names = _KINDS if same else ("mobile", *_KINDS)
        found = [getattr(metadata, name) for name in names]
        return cls(_pattern(metadata.general_desc), tuple(_pattern(each) for each in found if _has_pattern(each)))

    def valid(self, national: str) -> bool:
        length = len(national)
        lengths, matches = self.general
        if (lengths and length not in lengths) or not matches(national):
            return False
        for lengths, matches in self.kinds:  # noqa: SIM110 - twice as fast as any()
            if (not lengths or length in lengths) and matches(national):
                return True
        return False


def _has_pattern(description: Any) -> bool:
    return description is not None and bool(description.national_number_pattern)


def _pattern(description: Any) -> tuple[frozenset[int], Matches]:
    return frozenset(description.possible_length), re.compile(description.national_number_pattern).fullmatch
