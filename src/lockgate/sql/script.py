"""The statements of a text with their trees, each parsed once."""

from __future__ import annotations

import re
from typing import NamedTuple

from lockgate.sql.tree import Node, SqlSyntaxError, parse, split_roughly, unwrap

_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*", re.DOTALL)


class Piece(NamedTuple):
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


class Unread(NamedTuple):
    """A piece of a text that is not SQL.

    :param at: the character at which the parser gave up.
    """

    at: int
    what: str


def read(text: str) -> tuple[list[Piece], list[Unread]]:
    """The statements of a text of which some may be no SQL: commands of psql, what lies between templates, mistakes.

    A line that begins with a backslash is psql's, and so are the rows behind COPY ... FROM STDIN.
    """
    try:
        return pieces(text), []
    except SqlSyntaxError:
        pass
    text = _without_psql(text)
    try:
        return pieces(text), []
    except SqlSyntaxError as error:
        whole = error
    try:
        parts = split_roughly(text)
    except SqlSyntaxError:
        return [], [Unread(whole.offset or 0, str(whole))]
    found: list[Piece] = []
    unread: list[Unread] = []
    for start, part in parts:
        try:
            found += [each._replace(start=each.start + start, end=each.end + start) for each in pieces(part)]
        except SqlSyntaxError as error:
            unread.append(Unread(start + (error.offset or 0), str(error)))
    return found, unread or [Unread(whole.offset or 0, str(whole))]


_PSQL = re.compile(r"^\\.*$", re.M)
_ROWS = re.compile(r"(?<=;)(?P<rows>[ \t]*\n(?:(?!\\\.).*\n)*?)(?=\\\.[ \t]*$)", re.M)
_COPY = re.compile(r"^[ \t]*copy\b[^;]*\bfrom[ \t]+stdin\b[^;]*;", re.M | re.I)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _without_psql(text: str) -> str:
    """The text with blanks in place of what only psql reads, so that all else stays where it is."""
    end = 0
    parts = []
    for copy in _COPY.finditer(text):
        if copy.start() < end:
            continue
        rows = _ROWS.match(text, copy.end())
        if rows is not None:
            parts += [text[end : copy.end()], _blank(rows)]
            end = rows.end()
    return _PSQL.sub(_blank, "".join([*parts, text[end:]]))


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
