"""What a plain YAML 1.2 scalar means (its core schema), and how a value is called in a message."""

from __future__ import annotations

import math
import re

from lockgate.plan.base import ScalarValue

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 38


def resolve(text: str) -> ScalarValue:
    """The value of a plain scalar: null, true, false, a whole number, a number, or else the text.

    ``yes``, ``no``, ``on``, ``off`` and dates are text, unlike in YAML 1.1.

    :raises ValueError: a sentence, if the number is too large or not finite.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("+-0")) > _MOST_DIGITS:
            raise ValueError("the number is too large")
        return int(text)
    if _BASED.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            raise ValueError("the number is too large")
        return int(text, 0)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("the number is not finite; put it in quotes if it is text")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("the number is too large")
        return value
    return text


def describe(value: object) -> str:
    """A value in words: ``the text "abc"``, ``the whole number 5``, ``true``, ``a list``, ``nothing``."""
    match value:
        case None:
            words = "nothing"
        case bool():
            words = "true" if value else "false"
        case int():
            words = f"the whole number {value}"
        case float():
            words = f"the number {value:g}"
        case str():
            shown = value if len(value) <= 40 else value[:37] + "..."
            words = 'the text "' + " ".join(shown.split()) + '"'
        case list() | tuple():
            words = "a list"
        case _:
            words = "a mapping"
    return words
