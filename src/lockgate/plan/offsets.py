"""From a character of a YAML text value back to its place in the file, whatever the value's style."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lockgate.plan.document import ScalarNode

_ANCHOR = re.compile(r"&\S+(?:\s+|#[^\n]*(?:\n|$))*")
_ESCAPED_SPACES = frozenset("ntrvf _NLP\t\n")
_HEX = {"x": 2, "u": 4, "U": 8}


def index_in_file(text: str, node: ScalarNode, offset: int) -> int:
    """The index in the file's ``text`` of the character at ``offset`` of a value.

    Folding, indentation and escapes change the white space of a value but not the order of its other
    characters, so these are counted. White space maps to the end of the word before it.
    """
    wanted = sum(not character.isspace() for character in node.text[:offset])
    on_space = node.text[offset : offset + 1].isspace() or offset >= len(node.text)
    seen, end_of_word = 0, node.start
    for start, end in _words(text, node):
        if seen == wanted:
            return end_of_word if on_space and seen else start
        seen, end_of_word = seen + 1, end
    return end_of_word


def _words(text: str, node: ScalarNode) -> Iterator[tuple[int, int]]:
    """Start and end in the file of each character of the value that is not white space, in order."""
    start = node.start
    if node.anchored and (anchor := _ANCHOR.match(text, start)):
        start = anchor.end()
    if node.style in ("|", ">"):
        start = text.find("\n", start)
    elif node.style in ("'", '"'):
        start += 1
    index = start
    while 0 <= index < len(text):
        width, is_space = 1, text[index].isspace()
        if node.style == "'" and text.startswith("''", index):
            width = 2
        elif node.style == '"' and text[index] == "\\":
            width, is_space = _escape(text, index)
        if not is_space:
            yield index, index + width
        index += width


def _escape(text: str, index: int) -> tuple[int, bool]:
    letter = text[index + 1 : index + 2]
    if letter in _HEX:
        digits = text[index + 2 : index + 2 + _HEX[letter]]
        return 2 + _HEX[letter], chr(int(digits, 16)).isspace()
    return 2, letter in _ESCAPED_SPACES
