"""Any text: white space and case."""

from __future__ import annotations


def whitespace(value: str) -> str:
    """Without white space around it, and with one blank for each run of it within."""
    return " ".join(value.split())


def lower(value: str) -> str:
    """In lower case, by Unicode and whatever the language."""
    return value.lower()


def upper(value: str) -> str:
    """In upper case, by Unicode and whatever the language."""
    return value.upper()
