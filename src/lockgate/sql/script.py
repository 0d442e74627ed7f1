"""The statements of a text with their trees, each parsed once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockgate.sql.tree import Node, parse, unwrap

_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement.

    :param text: from its first word on, without its semicolon.
    :param start: the character at which it begins.
    :param end: the character behind it.
    """

    kind: str
    node: Node
    text: str
    start: int
    end: int


def pieces(text: str) -> list[Piece]:
    """Parse a text.

    :raises SqlSyntaxError: if it is not SQL.
    """
    data = None if text.isascii() else text.encode()
    found = []
    for raw in parse(text):
        first, last = raw.stmt_location, raw.stmt_location + raw.stmt_len
        if data is not None:  # the parser counts bytes
            first = len(data[:first].decode())
            last = len(data[:last].decode())
        if not raw.stmt_len:
            last = len(text)
        lead = _LEAD.match(text, first, last)
        start = lead.end() if lead else first
        node = unwrap(raw.stmt)
        words = text[start:last].rstrip()
        found.append(Piece(node.DESCRIPTOR.name, node, words, start, start + len(words)))
    return found


_NAME = re.compile(
    r"""'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\W\d][\w$]*)""",
    re.DOTALL,
)


def long_names(text: str, most: int) -> list[str]:
    """The identifiers of a statement that are longer than ``most`` bytes; the tree has them cut already."""
    found = []
    for match in _NAME.finditer(text):
        name = match["plain"] or (match["quoted"] or "").replace('""', '"')
        if len(name) * 4 > most and len(name.encode()) > most:
            found.append(name)
    return found
