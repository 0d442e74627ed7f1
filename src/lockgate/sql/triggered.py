"""SQL of a row's trigger, in which NEW and OLD stand for the row."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lockgate.sql.tree import Node, character_offset, kind, parse_one, unwrap, walk

_NAME = re.compile(r'"(?:new|old)"|new|old', re.IGNORECASE)


def rows_named(text: str) -> dict[str, int]:
    """Which of ``new`` and ``old`` a statement reads, with the index of the first place where it does."""
    found: dict[str, int] = {}
    for name, index in _references(text):
        found.setdefault(name, index)
    return found


def with_rows(text: str, values: Mapping[str, str]) -> str:
    """Write expressions for NEW and OLD, so that the server understands the statement outside of a trigger.

    :param values: ``new`` and ``old`` to an expression of the row's type.
    """
    for name, index in reversed(_references(text)):
        found = _NAME.match(text, index)
        if found is not None and name in values:
            text = f"{text[:index]}({values[name]}){text[found.end() :]}"
    return text


def returns_rows(text: str) -> bool:
    """Whether a statement that writes has a RETURNING of its own."""
    node = unwrap(parse_one(text).stmt)
    return "returning_clause" in node.DESCRIPTOR.fields_by_name and node.HasField("returning_clause")


def _references(text: str) -> list[tuple[str, int]]:
    """``new`` or ``old`` with the index, in the order of the text."""
    found = [(_first(node), node.location) for node in walk(parse_one(text).stmt) if kind(node) == "ColumnRef"]
    return [(name, character_offset(text, at)) for name, at in sorted(found, key=_place) if name in {"new", "old"}]


def _first(node: Node) -> str:
    return str(unwrap(node.fields[0]).sval) if kind(node.fields[0]) == "String" else ""


def _place(reference: tuple[str, int]) -> int:
    return reference[1]
